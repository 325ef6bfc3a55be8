import Foundation
import Logging
import PlueConfig
import PlueHTTP
import PlueLedger
import PluePostgres
import PlueSSH
import PlueSecrets
import ServiceLifecycle
import UnixSignals

/// `plue serve`: the daemon, put together. It eats its own configuration.
public struct Daemon: Sendable {
    private let deployment: Deployment
    private let manager: ConfigManager<DaemonSettings>
    private let http: HTTPServer
    private let ssh: SSHServer
    private let export: AuditExport
    private let ledger: Ledger
    private let doorkeeper: Doorkeeper
    private let console = ConsoleAddress()
    private let events: EventHub
    private let supervisor: Supervisor?
    private let logger: Logger

    /// Opens the history, loads the configuration and registers the services; nothing listens yet.
    /// - Parameter startsFromLastGood: Whether the version that ran last comes up when the files are invalid.
    /// - Throws: ``ConfigurationError``, or the ledger's error when the state directory cannot be used.
    public init(_ deployment: Deployment, startsFromLastGood: Bool = false, log: DaemonLog) async throws {
        self.deployment = deployment
        logger = log.logger
        supervisor = Supervisor(deployment.variables, logger: log.logger)
        // One writer a state directory: a second daemon ends here.
        ledger = try Ledger(directory: deployment.stateDirectory, logger: log.logger)
        for problem in deployment.statePermissions() {
            log.logger.warning("\(problem.message)", metadata: ["hint": "\(problem.hint ?? "")"])
        }
        var options = try deployment.options(recorder: ledger, logger: log.logger)
        options.policy = { $0.reload.policy }
        options.startsFromLastGood = startsFromLastGood
        let metrics = MetricsRegistry()
        options.metrics = metrics
        manager = try await ConfigManager(
            DaemonSettings.self, source: deployment.source, environment: deployment.environment, options: options)
        log.follow(manager.current.logging)
        ledger.follow(manager.current.audit.policy)
        ledger.follow(manager.current.history.retention)
        manager.onChange { [ledger, secrets = deployment.secrets] _, new in
            secrets.forgetUnused()
            log.follow(new.logging)
            ledger.follow(new.audit.policy)
            ledger.follow(new.history.retention)
        }

        doorkeeper = try await Doorkeeper(ledger: ledger, logger: log.logger)
        doorkeeper.follow(manager.current.security)
        manager.onChange { [doorkeeper] _, new in doorkeeper.follow(new.security) }
        let pool = PostgresPool(logger: log.logger)
        export = AuditExport(of: ledger, through: pool, manager, logger: log.logger)
        let commands = LateCommands()
        ssh = SSHServer(prompt: "plue> ", logger: log.logger, onEvent: { [doorkeeper] in doorkeeper.note($0) }) { await commands.run($0) }
        let status = DaemonStatus(
            manager: manager, deployment: deployment, pool: pool, ssh: ssh, export: export, followed: Set(manager.current.daemons.keys))
        let approvals = Approvals(manager, of: deployment, ledger: ledger, tokens: doorkeeper.tokens)
        commands.are(
            SSHCommands(
                manager: manager, deployment: deployment, ledger: ledger, status: status, approvals: approvals,
                fingerprints: deployment.fingerprints(), doorkeeper: doorkeeper))
        events = EventHub(manager, status: status, history: ledger.reader)
        let responder = API(
            manager, of: deployment, ledger: ledger, status: status, doorkeeper: doorkeeper, approvals: approvals, events: events,
            metrics: metrics,
            console: console
        ).responder()
        http = HTTPServer(responder, logger: log.logger)
        console.follow { [http, manager] in Self.console(of: http, manager.current.server) }
        metrics.watch { [manager, http, events] in await DaemonGauges.of(manager, http, events) }
        try register(socket: HTTPServer(responder, logger: log.logger), pool)
        manager.onChange { [logger] old, new in
            let waiting = status.waiting(in: new)
            guard waiting != status.waiting(in: old), !waiting.isEmpty else { return }
            logger.warning(
                "external daemons that are new are followed from the next start on",
                metadata: ["daemons": "\(waiting.joined(separator: " "))"])
        }
    }

    private func register(socket: HTTPServer, _ pool: PostgresPool) throws(ConfigurationError) {
        let (path, directory) = (deployment.socket, deployment.stateDirectory)
        try manager.register(
            pool, following: ["database", "security"], named: DaemonServices.database, settings: DaemonServices.poolSettings)
        try manager.register(http, following: ["server"], named: DaemonServices.http, settings: DaemonServices.httpSettings)
        try manager.register(socket, following: ["server"], named: DaemonServices.socket) { DaemonServices.socketSettings($0, at: path) }
        try manager.register(ssh, following: ["ssh"], named: DaemonServices.ssh) { DaemonServices.sshSettings($0, in: directory) }
        for name in manager.current.daemons.keys.sorted() {
            // A template may name any setting.
            try manager.register(FollowedDaemon(named: name, logger: logger), following: [""], named: DaemonServices.daemon(name)) {
                DaemonServices.daemonSettings(name, $0)
            }
        }
    }

    /// Serves until SIGTERM or SIGINT.
    /// - Parameters:
    ///   - isAttended: Whether somebody sees the lines, who is let into the console by one of them.
    ///   - onReady: Called once everything listens, with the lines that say where.
    public func run(isAttended: Bool = false, onReady: @Sendable ([String]) -> Void) async throws {
        let termination = await Termination()
        try await manager.start()
        var lines = ["listening on \(http.certificate == nil ? "http" : "https")://\(address)", "socket \(deployment.socket)"]
        if let address = ssh.address { lines.append("ssh on \(address), host key \(ssh.hostKeyFingerprints.joined(separator: " "))") }
        lines.append("version \(manager.snapshot.version), \(deployment.environment), \(deployment.directory)")
        if isAttended, let url = console.url {
            lines.append("console \(url)#code=\(doorkeeper.codes.issue(for: .starter)), once, within a minute; another with 'plue console'")
        }
        onReady(lines)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                // The last one is the first to hear of the end.
                services: [
                    .init(service: manager, successTerminationBehavior: .gracefullyShutdownGroup),
                    .init(
                        service: AuditKeeper(ledger: ledger, secrets: deployment.secrets, logger: logger),
                        successTerminationBehavior: .ignore),
                    .init(service: doorkeeper, successTerminationBehavior: .ignore),
                    .init(service: export, successTerminationBehavior: .ignore),
                    .init(service: Supervision(of: manager, by: supervisor), successTerminationBehavior: .ignore),
                    .init(service: events, successTerminationBehavior: .ignore),
                    .init(service: termination, successTerminationBehavior: .gracefullyShutdownGroup),
                ],
                logger: logger))
        try await group.run()
        try await ledger.close()
    }

    /// Where a browser on this machine finds the console: an address that stands for all is none to go to.
    private static func console(of http: HTTPServer, _ settings: ServerSettings) -> String? {
        guard let port = http.port else { return nil }
        let host = ["0.0.0.0": "127.0.0.1", "::": "::1"][settings.host] ?? settings.host
        return "\(http.certificate == nil ? "http" : "https")://\(host.contains(":") ? "[\(host)]" : host):\(port)/"
    }

    /// Where HTTP is served, with the real port.
    public var address: String {
        let host = manager.current.server.host
        return "\(host.contains(":") ? "[\(host)]" : host):\(http.port ?? manager.current.server.port)"
    }
}
