/// Runs changes one after the other. Reloads that are asked for meanwhile collapse into one; other changes keep their turn.
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
    /// Changes that are no reloads, in the order they came.
    private var changes: [@Sendable () async -> Void] = []
    /// Whether a reload that waits goes before the changes: it does after each of them, so that none holds it up for long.
    private var isReloadNext = false

    /// More changes than this do not wait.
    private static var mostWaiting: Int { 64 }

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

    /// Runs a change when its turn comes, and waits for its outcome.
    /// - Returns: `nil` when too many wait already.
    func perform<Result: Sendable>(_ change: @escaping @Sendable () async -> Result) async -> Result? {
        guard changes.count < Self.mostWaiting else { return nil }
        return await withCheckedContinuation { caller in
            changes.append { caller.resume(returning: await change()) }
            startNext()
        }
    }

    /// How many callers the next run will answer.
    var waitingCallers: Int { next?.callers.count ?? 0 }

    private func startNext() {
        guard !isRunning else { return }
        if !changes.isEmpty, next == nil || !isReloadNext {
            let change = changes.removeFirst()
            isRunning = true
            isReloadNext = true
            Task {
                await change()
                isRunning = false
                startNext()
            }
            return
        }
        guard let request = next else { return }
        next = nil
        isRunning = true
        isReloadNext = false
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
