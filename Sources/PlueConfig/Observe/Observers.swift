import Synchronization

/// Those who want to know what became current: callbacks, called in turn, and streams, which keep the newest only.
final class Observers<Root: Settings>: Sendable {
    private struct State {
        var next: UInt64 = 0
        var observers: [UInt64: @Sendable (Publication<Root>) -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Adds an observer and, in the same step, lets it see `current`, so that nothing is published in between unseen.
    func add(
        seeing current: () -> Publication<Root>?, _ observe: @escaping @Sendable (Publication<Root>) -> Void
    ) -> UInt64 {
        state.withLock { state in
            state.next += 1
            state.observers[state.next] = observe
            if let current = current() { observe(current) }
            return state.next
        }
    }

    func remove(_ id: UInt64) {
        _ = state.withLock { $0.observers.removeValue(forKey: id) }
    }

    /// Makes the publication current and tells the streams, as one step for whoever is being added.
    func publish(_ publication: Publication<Root>, making current: () -> Void) {
        state.withLock { state in
            current()
            for observe in state.observers.values { observe(publication) }
        }
    }

    /// How many are registered, for tests of leaks.
    var count: Int { state.withLock { $0.observers.count } }
}

/// A registered callback; it is called until it is cancelled.
public struct Observation: Sendable {
    private let onCancel: @Sendable () -> Void

    init(_ onCancel: @escaping @Sendable () -> Void) { self.onCancel = onCancel }

    /// Ends the calls. A call that is under way ends by itself.
    public func cancel() { onCancel() }
}

/// The values of a part of the settings: the current one, then each that a commit changes.
///
/// A slow consumer sees the newest and misses those in between.
public struct Updates<Value: Sendable>: AsyncSequence, Sendable {
    public typealias Element = Value
    public typealias Failure = Never

    private let stream: AsyncStream<Value>

    init<Root: Settings>(
        _ observers: Observers<Root>, path: SettingPath?, current: @escaping @Sendable () -> Snapshot<Root>,
        value: @escaping @Sendable (Root) -> Value
    ) {
        let (stream, continuation) = AsyncStream.makeStream(of: Value.self, bufferingPolicy: .bufferingNewest(1))
        let id = observers.add(
            seeing: { Publication(old: nil, new: current(), changedKeys: []) }
        ) { publication in
            if publication.old == nil || publication.touches(path) { continuation.yield(value(publication.new.value)) }
        }
        continuation.onTermination = { _ in observers.remove(id) }
        self.stream = stream
    }

    public func makeAsyncIterator() -> AsyncStream<Value>.Iterator { stream.makeAsyncIterator() }
}
