import Foundation
import Logging
import PlueConfig
import PlueHTTP
import PlueLedger
import ServiceLifecycle
import UnixSignals

/// `plue serve`: the daemon, put together. It eats its own configuration.
public struct Daemon: Sendable {
    private let deployment: Deployment
    private let manager: ConfigManager<DaemonSettings>
    private let http: HTTPServer
    private let ledger: Ledger
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
        var options = try deployment.options(recorder: ledger, logger: log.logger)
        options.policy = { $0.reload.policy }
        options.startsFromLastGood = startsFromLastGood
        manager = try await ConfigManager(
            DaemonSettings.self, source: deployment.source, environment: deployment.environment, options: options)
        log.follow(manager.current.logging)
        ledger.follow(manager.current.audit.policy)
        ledger.follow(manager.current.history.retention)
        manager.onChange { [ledger] _, new in
            log.follow(new.logging)
            ledger.follow(new.audit.policy)
            ledger.follow(new.history.retention)
        }

        let responder = API(manager, fingerprints: deployment.fingerprints()).responder()
        http = HTTPServer(responder, logger: log.logger)
        let socket = HTTPServer(responder, logger: log.logger)
        let path = deployment.socket
        try manager.register(http, following: ["server"], named: DaemonServices.http, settings: DaemonServices.httpSettings)
        try manager.register(socket, following: ["server"], named: DaemonServices.socket) { DaemonServices.socketSettings($0, at: path) }
    }

    /// Serves until SIGTERM or SIGINT.
    /// - Parameter onReady: Called once everything listens, with the lines that say where.
    public func run(onReady: @Sendable ([String]) -> Void) async throws {
        try await manager.start()
        onReady([
            "listening on http://\(address)", "socket \(deployment.socket)",
            "version \(manager.snapshot.version), \(deployment.environment), \(deployment.directory)",
        ])
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                // The last one is the first to hear of the end.
                services: [
                    .init(service: manager, successTerminationBehavior: .gracefullyShutdownGroup),
                    .init(service: AuditKeeper(ledger: ledger, logger: logger), successTerminationBehavior: .ignore),
                    .init(service: Supervision(of: manager, by: supervisor), successTerminationBehavior: .ignore),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
        try await ledger.close()
    }

    /// Where HTTP is served, with the real port.
    public var address: String {
        let host = manager.current.server.host
        return "\(host.contains(":") ? "[\(host)]" : host):\(http.port ?? manager.current.server.port)"
    }
}
