/// Runs reloads one after the other, and collapses those that are asked for meanwhile into one.
///
/// A request that arrives while a reload is under way may be about something that reload has not seen, so it is covered by
/// the next one, which starts from the newest state; so are all others that arrive until then. Everyone gets the outcome of
/// the run that covers their request.
actor ReloadQueue<Outcome: Sendable> {
    private struct Request {
        var cause: Cause
        var isForced: Bool
        var callers: [CheckedContinuation<Outcome, Never>]
    }

    private let reload: @Sendable (_ cause: Cause, _ isForced: Bool) async -> Outcome
    private var isRunning = false
    private var next: Request?

    init(_ reload: @escaping @Sendable (_ cause: Cause, _ isForced: Bool) async -> Outcome) {
        self.reload = reload
    }

    /// Asks for a reload that starts after this call, and waits for its outcome.
    ///
    /// A caller that is cancelled still gets the outcome: the run belongs to all who asked for it.
    /// - Parameter isForced: Whether the caller takes the documents at their word; then the run is this caller's.
    func request(_ cause: Cause, isForced: Bool = false) async -> Outcome {
        await withCheckedContinuation { caller in
            if var merged = next {
                // Whoever forces answers for it, so the history must name them.
                if isForced != merged.isForced {
                    merged.cause = isForced ? cause : merged.cause
                } else {
                    merged.cause = merged.cause.merging(cause)
                }
                merged.isForced = merged.isForced || isForced
                merged.callers.append(caller)
                next = merged
            } else {
                next = Request(cause: cause, isForced: isForced, callers: [caller])
            }
            startNext()
        }
    }

    /// How many callers the next run will answer.
    var waitingCallers: Int { next?.callers.count ?? 0 }

    private func startNext() {
        guard !isRunning, let request = next else { return }
        next = nil
        isRunning = true
        // Unstructured on purpose: a run serves several callers, and none of them may end it by giving up.
        Task {
            let outcome = await reload(request.cause, request.isForced)
            isRunning = false
            for caller in request.callers { caller.resume(returning: outcome) }
            startNext()
        }
    }
}

extension Cause {
    /// The cause that stands for both in the history: the one somebody asked for most explicitly, of equals the first.
    func merging(_ other: Cause) -> Cause {
        other.trigger.explicitness > trigger.explicitness ? other : self
    }
}

extension Cause.Trigger {
    /// How clearly someone wanted this change now: a person more than a signal, a signal more than a file that moved.
    fileprivate var explicitness: Int {
        switch self {
        case .start: 0
        case .file: 1
        case .signal: 2
        case .fleet: 3
        case .api, .command, .ssh, .confirm: 4
        }
    }
}
