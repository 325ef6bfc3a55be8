import OrderedCollections
import Synchronization

/// Those who want to know what became current.
///
/// Feeds are told in the same step that makes a snapshot current, so that one that is being added misses nothing and sees
/// nothing twice; they may only pass on. Callbacks run people's code, after that step and outside its lock, in the order they
/// were added: one may cancel itself, or read, without waiting for itself.
final class Observers<Root: Settings>: Sendable {
    typealias Observe = @Sendable (Publication<Root>) -> Void

    private struct State {
        var next: UInt64 = 0
        var feeds: [UInt64: Observe] = [:]
        var callbacks: OrderedDictionary<UInt64, Observe> = [:]
        var reloads: OrderedDictionary<UInt64, @Sendable (ReloadEvent) -> Void> = [:]

        mutating func number() -> UInt64 {
            next += 1
            return next
        }
    }

    private let state = Mutex(State())

    /// Adds a callback for what is published from now on.
    func addCallback(_ observe: @escaping Observe) -> UInt64 {
        state.withLock { state in
            let id = state.number()
            state.callbacks[id] = observe
            return id
        }
    }

    /// Adds a feed and, in the same step, lets it see `current`, so that nothing is published in between unseen.
    func addFeed(seeing current: () -> Snapshot<Root>, _ observe: @escaping Observe) -> UInt64 {
        state.withLock { state in
            let id = state.number()
            state.feeds[id] = observe
            observe(Publication(old: nil, new: current(), changedKeys: []))
            return id
        }
    }

    /// Adds a callback for how reloads go.
    func addReloadCallback(_ observe: @escaping @Sendable (ReloadEvent) -> Void) -> UInt64 {
        state.withLock { state in
            let id = state.number()
            state.reloads[id] = observe
            return id
        }
    }

    func tell(_ event: ReloadEvent) {
        for observe in state.withLock({ $0.reloads.values }) { observe(event) }
    }

    func remove(_ id: UInt64) {
        state.withLock { state in
            state.reloads[id] = nil
            state.feeds[id] = nil
            state.callbacks[id] = nil
        }
    }

    /// Makes the publication current and tells the feeds, as one step for whoever is being added; then calls back.
    func publish(_ publication: Publication<Root>, making current: () -> Void) {
        let callbacks = state.withLock { state in
            current()
            for observe in state.feeds.values { observe(publication) }
            return state.callbacks.values
        }
        for observe in callbacks { observe(publication) }
    }

    /// How many are registered, for tests of leaks.
    var count: Int { state.withLock { $0.feeds.count + $0.callbacks.count + $0.reloads.count } }
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
        let id = observers.addFeed(seeing: current) { publication in
            if publication.old == nil || publication.touches(path) { continuation.yield(value(publication.new.value)) }
        }
        continuation.onTermination = { _ in observers.remove(id) }
        self.stream = stream
    }

    public func makeAsyncIterator() -> AsyncStream<Value>.Iterator { stream.makeAsyncIterator() }
}
