import Foundation
import Synchronization
package import Testing

/// Waits until something is so; when it is not within the limit, the test fails there and ends.
package func eventually(
    _ what: Comment = "what was waited for came true", within limit: Duration = .seconds(30),
    at location: SourceLocation = #_sourceLocation, _ isMet: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !isMet() {
        if ContinuousClock.now > deadline {
            Issue.record("not within \(limit): \(what)", sourceLocation: location)
            throw TestFailure("not within \(limit): \(what)")
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// What a test could not have, or waited for in vain.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Work that blocks, on a thread of its own: those of Swift's pool may not.
package func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
    }
}

/// Holds whoever comes until it is opened.
package final class Gate: Sendable {
    /// Those who wait; `nil` once it is open.
    private let waiting = Mutex<[CheckedContinuation<Void, Never>]?>([])

    package init() {}

    package func open() {
        let waiting = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting ?? []
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Waits until the gate opens, whatever happens to the task.
    package func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = waiting.withLock { waiting in
                waiting?.append(continuation)
                return waiting == nil
            }
            if isOpen { continuation.resume() }
        }
    }

    /// Waits until the gate opens or the task is cancelled.
    package func passUnlessCancelled() async throws {
        let own = Gate()
        let turnstile = Task {
            await pass()
            own.open()
        }
        await withTaskCancellationHandler {
            await own.pass()
        } onCancel: {
            own.open()
        }
        _ = turnstile
        try Task.checkCancellation()
    }
}

/// Counts, from any task.
package final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    package init() {}

    @discardableResult
    package func increase(by amount: Int = 1) -> Int { count.add(amount, ordering: .sequentiallyConsistent).newValue }
    package var value: Int { count.load(ordering: .sequentiallyConsistent) }
}

/// Tells tasks and threads of one test that it is over.
package final class Flag: Sendable {
    private let flag = Atomic<Bool>(false)

    package init() {}

    package func set() { flag.store(true, ordering: .sequentiallyConsistent) }
    package var isSet: Bool { flag.load(ordering: .sequentiallyConsistent) }
}
