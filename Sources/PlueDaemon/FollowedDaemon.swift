import Logging
import PlueConfig
import PlueProcess

/// The service of a `[daemon.NAME]` that was there when the daemon started.
///
/// A section that goes while Plue runs leaves its daemon as it is, and one that comes back goes on from there: nothing is rendered for
/// what no section describes, and nothing is taken down that is not Plue's own.
struct FollowedDaemon: LiveService {
    private let daemon: ExternalDaemon

    init(named name: String, logger: Logger) { daemon = ExternalDaemon(named: name, logger: logger) }

    /// `nil` only where there never were settings.
    typealias Instance = ExternalDaemon.Instance?

    func prepare(_ settings: ExternalDaemon.Settings?, beside live: Instance?) async throws -> Instance {
        guard let settings else { return live ?? nil }
        return try await daemon.prepare(settings, beside: live ?? nil)
    }

    func activate(_ next: Instance) async -> Instance? {
        guard let next else { return nil }
        return await daemon.activate(next).map { .some($0) }
    }

    func verify(_ live: Instance) async throws { if let live { try await daemon.verify(live) } }

    func retire(_ instance: Instance) async { if let instance { await daemon.retire(instance) } }

    func action(from old: ExternalDaemon.Settings?, to new: ExternalDaemon.Settings?) -> ServiceAction {
        guard let new else { return .none }
        return old.map { daemon.action(from: $0, to: new) } ?? .live
    }

    func verification(of settings: ExternalDaemon.Settings?) -> String { settings.map(daemon.verification) ?? "nothing" }
}
