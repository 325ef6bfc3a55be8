import Synchronization

/// One at a time, in the order of arrival: who takes a turn must pass it on.
///
/// An actor alone does not do this: its methods interleave at every `await`.
final class Turns: Sendable {
    enum Answer: Sendable {
        case granted
        /// As many wait as may.
        case full
        /// The task that waited was cancelled.
        case cancelled
        /// There are no more turns.
        case closed
    }

    private struct State {
        var isTaken = false
        var isClosed = false
        var waiting: [(ticket: Int, continuation: CheckedContinuation<Answer, Never>)] = []
        var closers: [CheckedContinuation<Void, Never>] = []
        var nextTicket = 0
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Waits for the turn. Only after `granted` is there one to ``pass()``.
    func take() async -> Answer {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Answer? = state.withLock { state in
                    if state.isClosed { return .closed }
                    // The handler may have run before the ticket is in the line, and would not find it.
                    if Task.isCancelled { return .cancelled }
                    if !state.isTaken {
                        state.isTaken = true
                        return .granted
                    }
                    if state.waiting.count >= limit { return .full }
                    state.waiting.append((ticket, continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                state.waiting.firstIndex { $0.ticket == ticket }.map { state.waiting.remove(at: $0).continuation }
            }
            continuation?.resume(returning: .cancelled)
        }
    }

    /// Hands the turn to whoever waits longest.
    func pass() {
        typealias Handed = (next: CheckedContinuation<Answer, Never>?, closers: [CheckedContinuation<Void, Never>])
        let (next, closers): Handed = state.withLock { state in
            if !state.waiting.isEmpty { return (state.waiting.removeFirst().continuation, []) }
            state.isTaken = false
            defer { state.closers = [] }
            return (nil, state.closers)
        }
        next?.resume(returning: .granted)
        for closer in closers { closer.resume() }
    }

    /// Sends everyone away who waits or comes later, and returns when the last turn has been passed on.
    func close() async {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for (_, continuation) in waiting { continuation.resume(returning: .closed) }
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.isTaken { state.closers.append(continuation) }
                return !state.isTaken
            }
            if isIdle { continuation.resume() }
        }
    }
}
