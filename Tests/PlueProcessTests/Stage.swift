import Foundation
import Logging
import PlueProcess
import Synchronization
import TestGround
import Testing

@testable import PlueConfig

/// A committer over an external daemon and a second service beside it: the real road from a plan to its end.
struct Stage: Sendable {
    struct Root: Sendable {
        var daemon: ExternalDaemon.Settings
        var other = Other.Behaviour.good
    }

    let daemon: ExternalDaemon
    let other = Other()
    let committer: Committer<Root>
    let log: Log

    private init() throws {
        let log = Log()
        daemon = ExternalDaemon(named: "daemon", logger: log.logger)
        self.log = log
        var services = ServiceSet<Root>()
        try services.add(ServiceRegistration(daemon, named: "daemon", sections: ["web"]) { $0.daemon })
        try services.add(ServiceRegistration(other, named: "other", sections: ["other"]) { $0.other })
        committer = Committer(services: services, recorder: MemoryRecorder(), logger: quiet)
    }

    /// Runs the body beside the committer's drain, and shuts down as a process does.
    static func run<Value: Sendable>(_ body: @Sendable @escaping (Stage) async throws -> Value) async throws -> Value {
        let stage = try Stage()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await stage.committer.run() }
            let result: Result<Value, any Error>
            do { result = .success(try await body(stage)) } catch { result = .failure(error) }
            group.cancelAll()
            try await group.waitForAll()
            await stage.committer.shutDown()
            return try result.get()
        }
    }

    func commit(
        _ settings: ExternalDaemon.Settings, other: Other.Behaviour = .good, prepare: Duration = .seconds(60),
        verify: Duration = .seconds(60)
    ) async -> CommitOutcome {
        await committer.commit(
            Root(daemon: settings, other: other), services: ["daemon", "other"].map { PlannedService(name: $0, action: .live) },
            intent: nil,
            deadlines: CommitDeadlines(prepare: prepare, verify: verify))
    }

    /// Commits what has to go well.
    func go(_ settings: ExternalDaemon.Settings, at location: SourceLocation = #_sourceLocation) async throws {
        let outcome = await commit(settings)
        guard case .committed = outcome else {
            Issue.record("\(outcome)", sourceLocation: location)
            throw TestFailure("not committed")
        }
    }

    /// Waits until nothing drains any more.
    func drained() async throws {
        try await eventually("all has drained") { await committer.serviceStates.allSatisfy { $0.draining == 0 } }
    }
}

extension CommitOutcome {
    /// The sentence of a change that was taken back, with everything as before.
    var refusal: String? { if case .refused(let failure) = self { failure.problem } else { nil } }
    /// The sentence of a change after which something does not work as before.
    var degradation: String? { if case .degraded(let failure) = self { failure.problem } else { nil } }
    var isCommitted: Bool { if case .committed = self { true } else { false } }
}

/// A service beside the daemon, for changes that fail elsewhere.
final class Other: LiveService {
    enum Behaviour: Sendable { case good, cannotPrepare, failsVerification }

    private let live = Mutex<Behaviour?>(nil)

    func prepare(_ settings: Behaviour, beside live: Behaviour?) async throws -> Behaviour {
        if settings == .cannotPrepare { throw ServiceRefusal("not today") }
        return settings
    }

    func activate(_ next: Behaviour) async -> Behaviour? {
        live.withLock { live in
            defer { live = next }
            return live
        }
    }

    func verify(_ live: Behaviour) async throws {
        if live == .failsVerification { throw ServiceRefusal("does not answer") }
    }

    func retire(_ instance: Behaviour) async {}
}
