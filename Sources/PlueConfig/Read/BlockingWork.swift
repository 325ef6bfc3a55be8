import Dispatch

/// Runs blocking work on a thread that may block: the cooperative pool has one thread a core, and a blocked one is a core lost.
package func offPool<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
        blockingWork.async { continuation.resume(returning: work()) }
    }
}

private let blockingWork = DispatchQueue(label: "plue.blocking", attributes: .concurrent)
