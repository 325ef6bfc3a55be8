import NIOCore
import PlueConfig
import Synchronization

/// The encoded answers about the running snapshot: made once a version, then handed out as they are.
final class SnapshotAnswers: Sendable {
    private struct State {
        /// Whose answers these are. A snapshot is compared by identity: it is what was looked at, whatever its number.
        var snapshot: Snapshot<DaemonSettings>?
        var answers: [String: ByteBuffer] = [:]
        var bytes = 0
    }

    private let state = Mutex(State())

    private static let most = (answers: 1024, bytes: 32 * 1_048_576)

    /// - Parameters:
    ///   - name: What is asked for.
    ///   - make: Makes the answer; it is not called while others wait.
    func answer(_ name: String, of snapshot: Snapshot<DaemonSettings>, _ make: () throws(Problem) -> JSONValue) throws(Problem)
        -> ByteBuffer
    {
        if let known = state.withLock({ $0.snapshot === snapshot ? $0.answers[name] : nil }) { return known }
        let made = ByteBuffer(string: try make().text() + "\n")
        state.withLock { state in
            if state.snapshot !== snapshot {
                // An older one that was still being answered does not drive the newer ones out.
                if let held = state.snapshot, held.version > snapshot.version { return }
                state = State(snapshot: snapshot)
            }
            guard state.answers.count < Self.most.answers, state.bytes + made.readableBytes <= Self.most.bytes else { return }
            state.answers[name] = made
            state.bytes += made.readableBytes
        }
        return made
    }
}
