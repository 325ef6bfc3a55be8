import NIOCore
import Synchronization

/// The deadlines of the requests under way, looked at together: while there are some, a few times a second, and else not at all.
final class Deadlines: Sendable {
    private struct Entry {
        let at: ContinuousClock.Instant
        /// `nil` once it was called.
        var onPassing: (@Sendable () -> Void)?
    }

    private struct State {
        var next: UInt64 = 0
        var entries: [UInt64: Entry] = [:]
        var isScheduled = false
    }

    private let state = Mutex(State())

    /// How late a deadline may be noticed.
    private static let interval = Duration.milliseconds(250)

    enum Outcome { case met, passed }

    /// - Parameters:
    ///   - loop: Where it is looked at, if it is the only one.
    ///   - onPassing: Called once when the time has passed; it may only pass that on.
    func add(after time: Duration, on loop: any EventLoop, onPassing: @escaping @Sendable () -> Void) -> UInt64 {
        let at = ContinuousClock.now + time
        let (id, isFirst) = state.withLock { state in
            state.next += 1
            state.entries[state.next] = Entry(at: at, onPassing: onPassing)
            defer { state.isScheduled = true }
            return (state.next, !state.isScheduled)
        }
        if isFirst { schedule(on: loop, after: min(Self.interval, time)) }
        return id
    }

    /// The request is over.
    func remove(_ id: UInt64) -> Outcome {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: id) else { return .met }
            return entry.onPassing == nil ? .passed : .met
        }
    }

    private func schedule(on loop: any EventLoop, after time: Duration) {
        loop.scheduleTask(in: TimeAmount(time)) { [self] in
            let now = ContinuousClock.now
            let (passed, isAnyLeft) = state.withLock { state in
                var passed: [@Sendable () -> Void] = []
                for (id, entry) in state.entries where entry.at <= now {
                    if let onPassing = entry.onPassing { passed.append(onPassing) }
                    state.entries[id]?.onPassing = nil
                }
                state.isScheduled = !state.entries.isEmpty
                return (passed, state.isScheduled)
            }
            for onPassing in passed { onPassing() }
            if isAnyLeft { schedule(on: loop, after: Self.interval) }
        }
    }
}
