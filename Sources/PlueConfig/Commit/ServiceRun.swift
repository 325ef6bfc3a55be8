import Logging
import ServiceLifecycle
import Synchronization

/// One run of a `Service`, from its start to its end, in a group of its own.
///
/// The task belongs to the instance that runs: a preparation starts it, and the retirement that is owed to every instance ends it
/// and waits for that.
final class ServiceRun: Sendable {
    private let group: ServiceGroup
    private let ended = Race<any Error>()
    private let state = Mutex(State())

    private struct State {
        var ending: (any Error)?
        var isStopping = false
        var task: Task<Void, Never>?
    }

    /// A service that was not asked to end has returned.
    struct Returned: Error {}

    /// Starts the service.
    /// - Parameter fail: Called when it ends without having been asked to.
    init(_ service: any Service, logger: Logger, onFailure fail: @escaping @Sendable (any Error) -> Void) {
        group = ServiceGroup(services: [service], logger: logger)
        // Detached on purpose: what runs must not hear of the shutdown of the group that this happens to be called in. It is stopped
        // by its retirement, after those that depend on it.
        let task = Task.detached { [self] in
            var ending: any Error = Returned()
            do { try await group.run() } catch { ending = error }
            let isFailure = state.withLock { state in
                state.ending = ending
                return !state.isStopping
            }
            ended.decide(ending)
            if isFailure { fail(ending) }
        }
        state.withLock { $0.task = task }
    }

    /// What it ended with; `nil` as long as it runs.
    var ending: (any Error)? { state.withLock(\.ending) }

    /// Stops it: gracefully within the time, or as long as the caller is not cancelled, and then by cancelling it.
    /// - Returns: Whether it has ended.
    func stop(within time: Duration) async -> Bool {
        let task = state.withLock { state in
            state.isStopping = true
            return state.task
        }
        await group.triggerGracefulShutdown()
        if await hasEnded(within: time) { return true }
        task?.cancel()
        // Less than the second that a retirement has after it was cancelled.
        return await shielded { [self] in await hasEnded(within: .milliseconds(800)) }
    }

    private func hasEnded(within time: Duration) async -> Bool {
        do {
            _ = try await withDeadline(time, on: ContinuousClock()) { [ended] in await ended.result }
            return true
        } catch {
            return ending != nil
        }
    }
}

/// A value that several tasks share.
final class Mutexed<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) { mutex = Mutex(value) }

    var value: Value {
        get { mutex.withLock { $0 } }
        set { mutex.withLock { $0 = newValue } }
    }

    /// Takes an optional value out.
    func take<Wrapped>() -> Wrapped? where Value == Wrapped? {
        mutex.withLock { value in
            defer { value = nil }
            return value
        }
    }
}
