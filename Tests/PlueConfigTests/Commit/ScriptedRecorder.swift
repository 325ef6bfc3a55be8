import PlueConfig
import Synchronization
import TestGround

/// A recorder that writes the journal, and fails where the test says.
final class ScriptedRecorder: Recorder {
    enum Failing: Hashable { case intend, conclude, everyConclude }

    private struct State {
        var failing: Set<Failing> = []
        var attempts = 0
        var conclusions: [Conclusion] = []
        var version = 0
        var open: Intent?
        var gate: Gate?
    }

    let journal: Journal
    private let state = Mutex(State())

    init(_ journal: Journal) { self.journal = journal }

    var conclusions: [Conclusion] { state.withLock(\.conclusions) }
    var version: Int { state.withLock(\.version) }
    func fail(_ failing: Set<Failing>) { state.withLock { $0.failing = failing } }
    /// Holds the next intents.
    func hold(_ gate: Gate?) { state.withLock { $0.gate = gate } }

    func intend(_ intent: Intent) async throws -> Int {
        journal.add("intend")
        await state.withLock(\.gate)?.pass()
        // What a database does in a cancelled task.
        try Task.checkCancellation()
        return try state.withLock { state in
            if state.failing.contains(.intend) { throw DiskFull() }
            state.attempts += 1
            state.open = intent
            return state.attempts
        }
    }

    func conclude(_ conclusion: Conclusion) async throws -> Version? {
        journal.add("conclude \(conclusion.outcome.rawValue)")
        try Task.checkCancellation()
        return try state.withLock { state in
            if state.failing.contains(.everyConclude) { throw DiskFull() }
            if state.failing.contains(.conclude), conclusion.outcome == .committed { throw DiskFull() }
            state.conclusions.append(conclusion)
            guard conclusion.outcome == .committed, let intent = state.open else { return nil }
            state.version += 1
            return Version(
                number: state.version, parent: intent.parent, digest: intent.digest, environment: intent.environment,
                cause: intent.cause, at: intent.at, changedKeys: intent.changedKeys, services: conclusion.services)
        }
    }

    func reject(_ attempt: Attempt) async throws {}
    func history(_ query: HistoryQuery) async throws -> HistoryPage { HistoryPage(entries: [], next: nil) }
    func documents(of version: Int) async throws -> [StoredDocument]? { nil }
    func unfinishedWrites() async throws -> [UnfinishedWrite] { [] }
    func restored(_ attempt: Int) async throws {}
    func pendingConfirmation(of environment: EnvironmentName) async throws -> Confirmation? { nil }
    func endConfirmation(of version: Int, by cause: Cause) async throws {}
}

/// An error whose text nobody may see.
struct DiskFull: Error, CustomStringConvertible {
    var description: String { "no space left; the password is hunter2" }
}
