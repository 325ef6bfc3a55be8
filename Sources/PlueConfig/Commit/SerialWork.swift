import Synchronization

/// One piece of work at a time, in the order of arrival.
///
/// Work that has begun is waited for by what comes after it, also when whoever asked for it has gone: a phase that was left behind
/// at its deadline never overlaps with the way back.
package final class SerialWork: Sendable {
    private let last = Mutex<Task<Void, Never>?>(nil)

    package init() {}

    /// Waits for its turn, then works. The caller's cancellation is passed on to the work, and is seen there; it is still its turn.
    package func run<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) async throws -> Value {
        // Unstructured on purpose: the turn belongs to the work, and not to who waits for it.
        let task = last.withLock { last in
            let former = last
            let task = Task {
                await former?.value
                return try await work()
            }
            last = Task { _ = await task.result }
            return task
        }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
