import PlueConfig
import PlueHTTP
import SystemPackage

/// The services of the daemon: which part of the settings each follows, and what it makes of them.
enum DaemonServices {
    static let http = "http"
    static let socket = "socket"
    static let all = [http, socket]

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
        let settings = [
            (http, old.map(httpSettings), httpSettings(new)), (socket, old.map { socketSettings($0, at: "") }, socketSettings(new, at: "")),
        ]
        return settings.compactMap { name, old, new in
            let action = old?.action(to: new) ?? .swap
            let verification = "an answer from \(name == socket ? "the daemon's socket" : "\(new.endpoint)")"
            return action == .none ? nil : PlannedService(name: name, action: action, verification: verification)
        }
    }
}
