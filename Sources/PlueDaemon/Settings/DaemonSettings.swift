public import PlueConfig
import PlueHTTP
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
    /// Every setting there is, the application's own sections included: what templates of external daemons may name.
    var everything: SettingTable?

    public init() {}

    public mutating func adopt(_ everything: SettingTable) { self.everything = everything }

    public static let schema = Schema<Self> {
        Section("server", \.server, "The HTTP server: API and console.")
        Section("ssh", \.ssh, "The SSH server: the administrator's door.")
        Section("database", \.database, "The PostgreSQL pool.")
        Section("security", \.security, "Secrets, from the environment or encrypted and never as plain text in a file; who may do what.")
        Section("logging", \.logging, "The daemon's own log.")
        Section("reload", \.reload, "How changes are noticed and applied.")
        Section("history", \.history, "Which versions are kept.")
        Section("audit", \.audit, "The record of who did what.")
        Section("daemon", \.daemons, "External daemons, by name.")
        Rule("debug is off in production", blames: \.server.debug) { settings, context in
            context.environment != "production" || !settings.server.debug
        }
        Rule("each external daemon has an output of its own", blames: \.daemons) { settings, _ in
            let daemons = settings.daemons.sorted { $0.key < $1.key }
            for (index, daemon) in daemons.enumerated() {
                guard let other = daemons[..<index].first(where: { $0.value.output == daemon.value.output }) else { continue }
                return "[daemon.\(other.key)] and [daemon.\(daemon.key)] both write \(daemon.value.output)"
            }
            return nil
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
    public var tlsCertificate: WatchedFile?
    public var tlsPrivateKey: WatchedFile?
    public var tlsClientCA: WatchedFile?
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
        Setting(
            "tls_certificate", \.tlsCertificate, .readable,
            "PEM file with the certificate chain, the server's own first; HTTPS when set.")
        Setting("tls_private_key", \.tlsPrivateKey, .readable, .privateMode, "PEM file with the private key, not encrypted.")
        Setting(
            "tls_client_ca", \.tlsClientCA, .readable,
            "PEM file with the authorities whose certificates clients may show instead of a token; see security.client.")
        Setting(
            "allowed_hosts", \.allowedHosts, .each(.notEmpty), .unique(),
            "Host headers that are answered; all of this machine's names when empty.")
        Rule("tls_certificate and tls_private_key are set together", blames: \.tlsCertificate, \.tlsPrivateKey) { settings, _ in
            (settings.tlsCertificate == nil) == (settings.tlsPrivateKey == nil)
        }
        Rule("tls_client_ca needs tls_certificate", blames: \.tlsClientCA) { settings, _ in
            settings.tlsClientCA == nil || settings.tlsCertificate != nil
        }
        Rule("tls_private_key belongs to tls_certificate", blames: \.tlsCertificate, \.tlsPrivateKey) { settings, _ in
            guard let tls = settings.tls else { return nil }
            do throws(ServiceRefusal) {
                _ = try TLSIdentity(tls)
                return nil
            } catch {
                return error.message
            }
        }
        Rule("tls_certificate is for a name that clients use", blames: \.tlsCertificate, severity: .warning) { settings, _ in
            guard let file = settings.tlsCertificate, let certificate = try? TLSCertificate(file) else { return nil }
            let names = settings.allowedHosts + (["0.0.0.0", "::"].contains(settings.host) ? [] : [settings.host])
            guard !names.isEmpty, !names.contains(where: certificate.covers) else { return nil }
            let own = certificate.names.isEmpty ? "no name at all" : certificate.names.prefix(5).joined(separator: ", ")
            return "the certificate in \(file.path) is for \(own), but not for \(names.prefix(5).joined(separator: ", "))"
        }
        Rule("tls_certificate is in good order", blames: \.tlsCertificate, severity: .warning) { settings, context in
            guard let file = settings.tlsCertificate, let certificate = try? TLSCertificate(file) else { return nil }
            let doubts = certificate.doubts(at: context.time)
            return doubts.isEmpty ? nil : "the certificate in \(file.path) \(doubts.joined(separator: " and "))"
        }
    }

    /// What HTTPS is served with; `nil` for plain HTTP.
    var tls: HTTPServerSettings.TLS? {
        guard let tlsCertificate, let tlsPrivateKey else { return nil }
        return HTTPServerSettings.TLS(certificate: tlsCertificate, privateKey: tlsPrivateKey, clientAuthority: tlsClientCA)
    }
}

/// `[security]`: the secrets, and who may do what.
public struct SecuritySettings: Settings {
    public var secretKey: Secret<String>?
    public var databasePassword: Secret<String>?
    public var jwtSecret: Secret<String>?
    public var requireApproval = false
    public var approvalSections: [String] = []
    public var clients: [String: ClientSettings] = [:]

    public init() {}

    public static let schema = Schema<Self> {
        Setting("secret_key", \.secretKey, .notEmpty, "Signs sessions.")
        Setting("database_password", \.databasePassword, "Password of the database login.")
        Setting("jwt_secret", \.jwtSecret, .notEmpty, "Signs tokens.")
        Setting("require_approval", \.requireApproval, "Whether a change takes two: one who asks for it and another who approves it.")
        Setting(
            "approval_sections", \.approvalSections, .each(.notEmpty), .unique(),
            "The sections that take two, with what is in them; all when empty.")
        Section("client", \.clients, "Clients that are known by a certificate of server.tls_client_ca, by name.")
        Rule("each client has a certificate's name of its own", blames: \.clients) { settings, _ in
            Set(settings.clients.values.map(\.certificate)).count == settings.clients.count
        }
    }
}

/// `[security.client.NAME]`: who shows a certificate, and what they may do.
public struct ClientSettings: Settings {
    public var certificate = ""
    public var role = Role.viewer
    public var sections: [String] = []

    public init() {}

    public static let schema = Schema<Self> {
        Setting(
            "certificate", \.certificate, .required, .notEmpty,
            "A name in the certificate: a host name, e-mail address or URI it is for, or CN=… for its subject's common name.")
        Setting("role", \.role, "What the client may do.")
        Setting("sections", \.sections, .each(.notEmpty), .unique(), "The only sections it sees and changes; all when empty.")
    }
}

extension Role: SettingValue {}

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
