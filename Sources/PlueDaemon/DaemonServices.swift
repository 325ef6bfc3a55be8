import PlueConfig
import PlueHTTP
import SystemPackage

/// The services of the daemon: which part of the settings each follows, and what it makes of them.
enum DaemonServices {
    static let http = "http"
    static let socket = "socket"

    /// The HTTP server's part of `[server]`.
    static func httpSettings(_ settings: DaemonSettings) -> HTTPServerSettings {
        HTTPServerSettings(endpoint: .tcp(host: settings.server.host, port: settings.server.port), limits: limits(settings))
    }

    /// The socket takes its limits from `[server]` too; where it is, the state directory says.
    static func socketSettings(_ settings: DaemonSettings, at path: FilePath) -> HTTPServerSettings {
        HTTPServerSettings(endpoint: .unix(path), limits: limits(settings))
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

    /// What a change would do to each service, without having them; for `plue plan` beside no daemon.
    static func plan(from old: DaemonSettings?, to new: DaemonSettings) -> [PlannedService] {
        guard let old else { return [PlannedService(name: http, action: .swap), PlannedService(name: socket, action: .swap)] }
        let actions = [
            (http, httpSettings(old).action(to: httpSettings(new))),
            (socket, socketSettings(old, at: "").action(to: socketSettings(new, at: ""))),
        ]
        return actions.filter { $0.1 != .none }.map { PlannedService(name: $0.0, action: $0.1) }
    }
}
