import NIOCore
import Synchronization

/// One open stream of events: a bounded queue, and why it ended.
final class EventListener: Sendable {
    let events: AsyncStream<ByteBuffer>
    private let queue: AsyncStream<ByteBuffer>.Continuation
    private let state = Mutex(State())

    private struct State {
        /// What was told before the stream has begun with the state; `nil` once it has.
        var waiting: [(event: ByteBuffer, version: Int?)]? = []
        var reason: String?
    }

    /// Who falls so far behind is cut: it comes back and is told what it missed.
    static let mostWaiting = 64

    init() {
        (events, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.mostWaiting))
    }

    /// Why the stream ended; `nil` when the client left.
    var reason: String? { state.withLock(\.reason) }

    /// Begins: with the versions that came while the history was replayed, how things stand, and what was told since.
    /// - Parameter replayed: The newest version that the client knows of; `nil` when it starts from the state.
    func begin(with state: Event, after replayed: Int?) {
        self.state.withLock { held in
            let waiting = held.waiting ?? []
            held.waiting = nil
            for (event, version) in waiting {
                guard let version, let replayed, version > replayed, version <= state.version ?? 0 else { continue }
                queue.yield(event)
            }
            queue.yield(state.encoded)
            for (event, version) in waiting where version.map({ $0 > state.version ?? 0 }) ?? true { queue.yield(event) }
        }
    }

    /// - Returns: Whether it is still listened to.
    func tell(_ event: ByteBuffer, version: Int?) -> Bool {
        let isTaken = state.withLock { state in
            if state.waiting != nil {
                state.waiting?.append((event, version))
                return (state.waiting?.count ?? 0) <= Self.mostWaiting
            }
            if case .enqueued = queue.yield(event) { return true }
            return false
        }
        if !isTaken { end("more than \(Self.mostWaiting) events were not taken in time") }
        return isTaken
    }

    func end(_ reason: String) {
        state.withLock { $0.reason = $0.reason ?? reason }
        queue.finish()
    }
}
