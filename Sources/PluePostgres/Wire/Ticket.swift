import Synchronization

/// One answer that one task waits for: the first that is given counts, and is kept when it comes before the wait.
final class Ticket<Answer: Sendable>: Sendable {
    private enum State {
        case open(CheckedContinuation<Answer, Never>?)
        case decided(Answer)
    }

    private let state = Mutex(State.open(nil))

    /// Gives the answer, unless there is one.
    /// - Returns: Whether this was the first.
    @discardableResult
    func decide(_ answer: Answer) -> Bool {
        let (isFirst, waiting) = state.withLock { state -> (Bool, CheckedContinuation<Answer, Never>?) in
            guard case .open(let waiting) = state else { return (false, nil) }
            state = .decided(answer)
            return (true, waiting)
        }
        waiting?.resume(returning: answer)
        return isFirst
    }

    /// The answer. Whoever is to end the wait early, a deadline or a cancellation, gives one.
    var answer: Answer {
        get async {
            await withCheckedContinuation { continuation in
                let answer: Answer? = state.withLock { state in
                    if case .decided(let answer) = state { return answer }
                    state = .open(continuation)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        }
    }
}
