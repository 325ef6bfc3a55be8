import Synchronization

/// The first of several things to happen; what comes later is turned away.
final class Race<Result: Sendable>: Sendable {
    private enum State {
        case open([CheckedContinuation<Result, Never>])
        case decided(Result)
    }

    private let state = Mutex(State.open([]))

    /// Ends the race, unless it has ended.
    /// - Returns: Whether this was the first.
    @discardableResult
    func decide(_ result: Result) -> Bool {
        let waiting: [CheckedContinuation<Result, Never>]? = state.withLock { state in
            guard case .open(let waiting) = state else { return nil }
            state = .decided(result)
            return waiting
        }
        guard let waiting else { return false }
        for continuation in waiting { continuation.resume(returning: result) }
        return true
    }

    /// The winner. Does not end early when the task that waits is cancelled: let the cancellation take part in the race.
    var result: Result {
        get async {
            await withCheckedContinuation { continuation in
                let result: Result? = state.withLock { state in
                    switch state {
                    case .decided(let result):
                        return result
                    case .open(let waiting):
                        state = .open(waiting + [continuation])
                        return nil
                    }
                }
                if let result { continuation.resume(returning: result) }
            }
        }
    }
}

/// Why work came to no result.
enum Interruption: Error {
    case failed(any Error)
    case overdue
    /// The task that waited was cancelled.
    case cancelled
}

/// Waits for the work, at most until the deadline and only as long as the caller is not cancelled.
///
/// Work that goes on regardless of its cancellation is left behind; what it makes in the end goes to `late`.
func withDeadline<Value: Sendable>(
    _ deadline: Duration, on clock: any Clock<Duration>, late: @escaping @Sendable (Value) async -> Void = { _ in },
    _ work: @escaping @Sendable () async throws -> Value
) async throws(Interruption) -> Value {
    let race = Race<Result<Value, Interruption>>()
    // Unstructured on purpose: a task group would wait for a child that ignores its cancellation, and the deadline of a
    // service that hangs would never come.
    let worker = Task {
        do {
            let value = try await work()
            if !race.decide(.success(value)) { await late(value) }
        } catch {
            race.decide(.failure(.failed(error)))
        }
    }
    let timer = Task {
        try? await clock.sleep(for: deadline)
        race.decide(.failure(.overdue))
    }
    let result = await withTaskCancellationHandler {
        await race.result
    } onCancel: {
        race.decide(.failure(.cancelled))
    }
    // The race is over: whichever of the two is left has nothing to decide any more.
    timer.cancel()
    worker.cancel()
    return try result.get()
}

/// Runs the operation to its end, whatever happens to the task that waits for it.
///
/// Unstructured on purpose: from the first activation on, a transaction belongs to the process and not to who asked.
package func shielded<Value: Sendable>(_ operation: @escaping @Sendable () async -> Value) async -> Value {
    await Task { await operation() }.value
}

/// Starts measuring; the closure tells how much time has passed since.
func stopwatch(_ clock: some Clock<Duration>) -> @Sendable () -> Duration {
    let start = clock.now
    return { start.duration(to: clock.now) }
}
