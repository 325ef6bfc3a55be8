public import PlueConfig
import PlueLedger
public import SystemPackage

/// The daemon's own configuration. It takes the same road as everybody's: the daemon is its own first user.
public struct DaemonSettings: Settings {
    public var server = ServerSettings()
    public var ssh = SSHSettings()
    public var database = DatabaseSettings()
    public var security = SecuritySettings()
    public var logging = LoggingSettings()
    public var reload = ReloadSettings()
    public var history = HistorySettings()
    public var audit = AuditSettings()
    public var daemons: [String: ExternalDaemonSettings] = [:]

    public init() {}

    public static let schema = Schema<Self> {
        Section("server", \.server, "The HTTP server: API and console.")
        Section("ssh", \.ssh, "The SSH server: the administrator's door.")
        Section("database", \.database, "The PostgreSQL pool.")
        Section("security", \.security, "Secrets, from the environment or encrypted; never as plain text in a file.")
        Section("logging", \.logging, "The daemon's own log.")
        Section("reload", \.reload, "How changes are noticed and applied.")
        Section("history", \.history, "Which versions are kept.")
        Section("audit", \.audit, "The record of who did what.")
        Section("daemon", \.daemons, "External daemons, by name.")
        Rule("debug is off in production", blames: \.server.debug) { settings, context in
            context.environment != "production" || !settings.server.debug
        }
        Rule("ssh.enabled has no effect: this build has no SSH server", blames: \.ssh.enabled, severity: .warning) { settings, _ in
            !settings.ssh.enabled
        }
        Rule("database.url has no effect: this build has no PostgreSQL pool", blames: \.database.url, severity: .warning) { settings, _ in
            settings.database.url == nil
        }
    }
}

/// `[server]`: the HTTP server.
public struct ServerSettings: Settings {
    public var host = "127.0.0.1"
    public var port = 8080
    public var debug = false
    public var maxConnections = 10_000
    public var requestTimeout: Duration = .seconds(30)
    public var idleTimeout: Duration = .seconds(60)
    public var maxBodySize = ByteSize.mebibytes(16)
    public var drainTimeout: Duration = .seconds(30)
    public var tlsCertificate: FilePath?
    public var tlsPrivateKey: FilePath?
    public var allowedHosts: [String] = []

    public init() {}

    public static let schema = Schema<Self> {
        Setting("host", \.host, .notEmpty, "Address or name the listener binds.")
        Setting("port", \.port, .required, .range(0...65535), "TCP port; 0 takes a free one.")
        Setting("debug", \.debug, "Details in error responses; never in production.")
        Setting("max_connections", \.maxConnections, .range(1...1_000_000), "Most connections at once; more wait in the system's queue.")
        Setting("request_timeout", \.requestTimeout, .range(.milliseconds(100) ... .seconds(3600)), "Longest a request may take.")
        Setting("idle_timeout", \.idleTimeout, .range(.milliseconds(100) ... .seconds(3600)), "How long a connection may be silent.")
        Setting("max_body_size", \.maxBodySize, .range(.bytes(0) ... .mebibytes(1024)), "Largest request body.")
        Setting("drain_timeout", \.drainTimeout, .range(.zero ... .seconds(3600)), "How long a replaced listener's connections may go on.")
        Setting("tls_certificate", \.tlsCertificate, .readable, "PEM file with the certificate chain.")
        Setting("tls_private_key", \.tlsPrivateKey, .readable, .privateMode, "PEM file with the private key.")
        Setting(
            "allowed_hosts", \.allowedHosts, .each(.notEmpty), .unique(),
            "Host headers that are answered; all of this machine's names when empty.")
        Rule("tls_certificate and tls_private_key are set together", blames: \.tlsCertificate, \.tlsPrivateKey) { settings, _ in
            (settings.tlsCertificate == nil) == (settings.tlsPrivateKey == nil)
        }
    }
}

/// `[ssh]`: the SSH server.
public struct SSHSettings: Settings {
    public var enabled = false
    public var host = "127.0.0.1"
    public var port = 2222
    public var hostKey: FilePath?
    public var authorizedKeys: FilePath?
    public var maxConnections = 100
    public var idleTimeout: Duration = .seconds(600)
    public var banner = ""

    public init() {}

    public static let schema = Schema<Self> {
        Setting("enabled", \.enabled, "Whether the SSH server runs.")
        Setting("host", \.host, .notEmpty, "Address or name the listener binds.")
        Setting("port", \.port, .range(0...65535), "TCP port; 0 takes a free one.")
        Setting("host_key", \.hostKey, .readable, .privateMode, "Private host key; one is made in the state directory when unset.")
        Setting("authorized_keys", \.authorizedKeys, .readable, "Public keys that may log in, in OpenSSH's format.")
        Setting("max_connections", \.maxConnections, .range(1...10_000), "Most connections at once.")
        Setting("idle_timeout", \.idleTimeout, .range(.seconds(1) ... .seconds(86_400)), "How long a session may be silent.")
        Setting("banner", \.banner, .length(0...4096), "Shown before login.")
    }
}

/// `[database]`: the PostgreSQL pool.
public struct DatabaseSettings: Settings {
    public var url: String?
    public var username = ""
    public var poolMin = 1
    public var poolMax = 10
    public var connectTimeout: Duration = .seconds(5)
    public var statementTimeout: Duration = .seconds(30)
    public var auditExport = false

    public init() {}

    public static let schema = Schema<Self> {
        Setting("url", \.url, .pattern("^$|^postgres(ql)?://"), "postgres://host:port/name; no pool when unset or empty.")
        Setting("username", \.username, "Login; the password is security.database_password.")
        Setting("pool_min", \.poolMin, .range(0...10_000), "Connections that are kept open.")
        Setting("pool_max", \.poolMax, .range(1...10_000), "Most connections at once.")
        Setting("connect_timeout", \.connectTimeout, .range(.milliseconds(100) ... .seconds(300)), "Longest a login may take.")
        Setting(
            "statement_timeout", \.statementTimeout, .range(.zero ... .seconds(86_400)), "Longest a statement may take; 0 for no limit.")
        Setting("audit_export", \.auditExport, "Whether audit rows are written to a table there too.")
        Rule("pool_min is at most pool_max", blames: \.poolMin, \.poolMax) { settings, _ in settings.poolMin <= settings.poolMax }
    }
}

/// `[security]`: the secrets.
public struct SecuritySettings: Settings {
    public var secretKey: Secret<String>?
    public var databasePassword: Secret<String>?
    public var jwtSecret: Secret<String>?

    public init() {}

    public static let schema = Schema<Self> {
        Setting("secret_key", \.secretKey, .notEmpty, "Signs sessions.")
        Setting("database_password", \.databasePassword, "Password of the database login.")
        Setting("jwt_secret", \.jwtSecret, .notEmpty, "Signs tokens.")
    }
}

/// `[logging]`: the daemon's own log.
public struct LoggingSettings: Settings {
    public enum Level: String, CaseIterable, SettingValue { case trace, debug, info, notice, warning, error, critical }
    public enum Format: String, CaseIterable, SettingValue { case text, json }

    public var level = Level.info
    public var format = Format.text

    public init() {}

    public static let schema = Schema<Self> {
        Setting("level", \.level, "The least severe messages that are written.")
        Setting("format", \.format, "Lines for people or for machines.")
    }
}

/// `[reload]`: how changes are noticed and applied.
public struct ReloadSettings: Settings {
    public var watch = FileWatch.Mode.auto
    public var pollInterval: Duration = .seconds(10)
    public var prepareTimeout: Duration = .seconds(10)
    public var verifyTimeout: Duration = .seconds(5)
    public var allowInPlace = false
    public var allowEmpty = false

    public init() {}

    public static let schema = Schema<Self> {
        Setting("watch", \.watch, "How files are watched.")
        Setting(
            "poll_interval", \.pollInterval, .range(.milliseconds(100) ... .seconds(3600)),
            "How often files are compared when nothing reports a change.")
        Setting("prepare_timeout", \.prepareTimeout, .range(.milliseconds(100) ... .seconds(600)), "Longest a service may take to prepare.")
        Setting("verify_timeout", \.verifyTimeout, .range(.milliseconds(100) ... .seconds(600)), "Longest a service may take to verify.")
        Setting("allow_in_place", \.allowInPlace, "Whether a file that cannot be replaced may be overwritten in place.")
        Setting("allow_empty", \.allowEmpty, "Whether an empty or missing document is taken at its word.")
    }

    /// The same as the manager's policy.
    var policy: ReloadPolicy {
        var policy = ReloadPolicy()
        policy.watch = watch
        policy.pollInterval = pollInterval
        policy.prepareTimeout = prepareTimeout
        policy.verifyTimeout = verifyTimeout
        policy.allowsEmpty = allowEmpty
        policy.allowsInPlace = allowInPlace
        return policy
    }
}

extension FileWatch.Mode: SettingValue {}

/// `[history]`: which versions are kept. Both have to be exceeded before one goes.
public struct HistorySettings: Settings {
    public var keepVersions = 100
    public var keepFor: Duration = .seconds(400 * 86_400)

    public init() {}

    public static let schema = Schema<Self> {
        Setting("keep_versions", \.keepVersions, .range(1...10_000_000), "At least so many versions are kept.")
        Setting("keep_for", \.keepFor, .range(.zero ... .seconds(100 * 365 * 86_400)), "Versions are kept at least so long.")
    }

    /// The same as the ledger's retention.
    var retention: Retention { .keep(versions: keepVersions, for: keepFor) }
}

/// `[audit]`: the record of who did what.
public struct AuditSettings: Settings {
    public var enabled = true
    public var checkpointEvery = 100
    public var exportFile: FilePath?
    public var syslog = false

    public init() {}

    public static let schema = Schema<Self> {
        Setting("enabled", \.enabled, "Whether checkpoints are kept outside the state directory too; entries are always written.")
        Setting("checkpoint_every", \.checkpointEvery, .range(1...1_000_000), "Entries between two signed checkpoints.")
        Setting("export_file", \.exportFile, "A file that checkpoints are appended to as well.")
        Setting("syslog", \.syslog, "Whether checkpoints are sent to syslog.")
    }

    /// The same as the ledger's policy.
    var policy: AuditPolicy {
        var policy = AuditPolicy()
        policy.checkpointEvery = checkpointEvery
        policy.exportFile = enabled ? exportFile : nil
        policy.usesSyslog = enabled && syslog
        return policy
    }
}

/// `[daemon.NAME]`: an external daemon whose file Plue renders.
public struct ExternalDaemonSettings: Settings {
    public var template: FilePath = "template"
    public var output: FilePath = "output"
    public var check: [String] = []
    public var reload: [String] = []
    public var probe: HostPort?

    public init() {}

    public static let schema = Schema<Self> {
        Setting("template", \.template, .required, .readable, "Mustache template of the daemon's configuration file.")
        Setting("output", \.output, .required, "Where the rendered file goes.")
        Setting("check", \.check, "Command and arguments that check the rendered file.")
        Setting("reload", \.reload, "Command and arguments that make the daemon read it.")
        Setting("probe", \.probe, "Address that answers when the daemon is up.")
    }
}
