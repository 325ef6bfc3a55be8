import PlueConfig
import PlueHTTP
import PluePostgres
import PlueProcess
import PlueSSH
import SystemPackage

/// The services of the daemon: which part of the settings each follows, and what it makes of them.
enum DaemonServices {
    static let database = "database"
    static let http = "http"
    static let socket = "socket"
    static let ssh = "ssh"

    /// How the service of `[daemon.NAME]` is called.
    static func daemon(_ name: String) -> String { "daemon.\(name)" }

    /// All of them, in the order in which they are registered.
    static func all(_ settings: DaemonSettings) -> [String] {
        [database, http, socket, ssh] + settings.daemons.keys.sorted().map(daemon)
    }

    // MARK: - HTTP

    /// The HTTP server's part of `[server]`.
    static func httpSettings(_ settings: DaemonSettings) -> HTTPServerSettings {
        HTTPServerSettings(
            endpoint: .tcp(host: settings.server.host, port: settings.server.port), limits: limits(settings), tls: settings.server.tls)
    }

    /// The socket takes its limits from `[server]` too; where it is, the state directory says.
    static func socketSettings(_ settings: DaemonSettings, at path: FilePath) -> HTTPServerSettings {
        var limits = limits(settings)
        // A change is answered when it is over: cut off before, its caller would not know what became of it.
        limits.requestTimeout = max(
            limits.requestTimeout, (settings.reload.prepareTimeout + settings.reload.verifyTimeout) * 4 + .seconds(60))
        return HTTPServerSettings(endpoint: .unix(path), limits: limits)
    }

    private static func limits(_ settings: DaemonSettings) -> HTTPServerSettings.Limits {
        var limits = HTTPServerSettings.Limits()
        limits.maxConnections = settings.server.maxConnections
        limits.requestTimeout = settings.server.requestTimeout
        limits.idleTimeout = settings.server.idleTimeout
        limits.maxBodySize = settings.server.maxBodySize.bytes
        limits.drainTimeout = settings.server.drainTimeout
        return limits
    }

    // MARK: - SSH

    static func sshSettings(_ settings: DaemonSettings, in stateDirectory: FilePath) -> SSHServerSettings {
        func file(_ watched: WatchedFile) -> SSHKeyFile { SSHKeyFile(watched.path, holding: watched.content) }
        let ssh = settings.ssh
        var limits = SSHServerSettings.Limits()
        limits.maxConnections = ssh.maxConnections
        limits.idleTimeout = ssh.idleTimeout
        return SSHServerSettings(
            isEnabled: ssh.enabled, endpoint: .init(host: ssh.host, port: ssh.port), hostKeys: ssh.hostKey.map { [file($0)] } ?? [],
            stateDirectory: stateDirectory, authorizedKeys: ssh.authorizedKeys.map(file), banner: ssh.banner,
            terminatesRevoked: ssh.terminateRevoked, limits: limits)
    }

    // MARK: - PostgreSQL

    /// The pool's part of `[database]`, with the password that stands in `[security]`.
    static func poolSettings(_ settings: DaemonSettings) -> PostgresPoolSettings {
        let database = settings.database
        var limits = PostgresPoolSettings.Limits()
        limits.poolMin = database.poolMin
        limits.poolMax = database.poolMax
        limits.connectTimeout = database.connectTimeout
        limits.statementTimeout = database.statementTimeout
        return PostgresPoolSettings(
            url: database.url ?? "", username: database.username, password: settings.security.databasePassword, limits: limits)
    }

    // MARK: - External daemons

    /// What `[daemon.NAME]` says; `nil` when there is no such section (any more).
    static func daemonSettings(_ name: String, _ settings: DaemonSettings) -> ExternalDaemon.Settings? {
        guard let section = settings.daemons[name] else { return nil }
        var daemon = ExternalDaemon.Settings(template: section.template.path, output: section.output)
        daemon.templateContent = section.template
        daemon.mode = section.mode.flatMap { UInt16($0, radix: 8) }.map { FilePermissions(rawValue: CInterop.Mode($0)) }
        daemon.check = section.check
        daemon.reload = section.reload
        daemon.start = section.start
        daemon.probe = section.probe.map { .tcp($0) }
        daemon.addresses = section.addresses
        daemon.pidFile = section.pidFile
        daemon.timeouts.check = section.checkTimeout
        daemon.timeouts.reload = section.reloadTimeout
        daemon.timeouts.start = section.startTimeout
        daemon.timeouts.probe = section.probeTimeout
        daemon.values = settings.everything.map { TemplateValues($0) } ?? TemplateValues()
        return daemon
    }

    // MARK: - Plans without them

    /// What a change would do to each service, without having them; for `plue plan` beside no daemon.
    static func plan(from old: DaemonSettings?, to new: DaemonSettings) -> [PlannedService] {
        var planned: [PlannedService] = []
        func add(_ name: String, _ action: ServiceAction, _ verification: String) {
            if action != .none { planned.append(PlannedService(name: name, action: action, verification: verification)) }
        }
        let (pool, ssh) = (poolSettings(new), sshSettings(new, in: ""))
        add(database, old.map { poolSettings($0).action(to: pool) } ?? (pool.url.isEmpty ? .none : .swap), pool.verification)
        add(http, old.map { httpSettings($0).action(to: httpSettings(new)) } ?? .swap, httpSettings(new).verification)
        add(
            socket, old.map { socketSettings($0, at: "").action(to: socketSettings(new, at: "")) } ?? .swap,
            "an answer from the daemon's socket")
        add(self.ssh, old.map { sshSettings($0, in: "").action(to: ssh) } ?? (ssh.isEnabled ? .swap : .none), ssh.verification)
        for name in new.daemons.keys.sorted() {
            guard let next = daemonSettings(name, new) else { continue }
            let before = old.flatMap { daemonSettings(name, $0) }
            add(daemon(name), before.map { $0.action(to: next) } ?? .swap, next.verification)
        }
        return planned
    }
}
