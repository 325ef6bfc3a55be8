public import Logging
public import ServiceLifecycle
import Synchronization

/// Lets a swift-service-lifecycle `Service` take part in transactions that cannot change while it runs: with other settings, another
/// one takes its place.
///
/// ```swift
/// let consumer = RestartingService(logger: logger) { (settings: QueueSettings) in
///     QueueConsumer(url: settings.url)                               // any Service
/// } check: { settings in
///     try await QueueConsumer.ping(settings.url)                     // throws while it does not work
/// }
/// try manager.register(consumer, for: \.queue)
/// ```
///
/// The service runs in a group of its own and is stopped as every group stops one: gracefully, and by cancellation when that takes
/// too long. It does not have to be in a group for that. Put this into one all the same, beside the manager, if a service that ends
/// by itself is to end the program, as it would have in the group: ``run()`` then throws what it ended with.
public final class RestartingService<Settings: Sendable>: LiveService, Service {
    /// How one takes the other's place.
    public enum Succession: Hashable, Sendable {
        /// The new one runs, and is looked at, before the old one stops. Nobody notices, if two can run side by side; for a while
        /// both do their work, and the new one from its preparation on, so also when another service then refuses the change.
        case overlapping
        /// The old one stops before the new one starts, for services that cannot share what they hold, such as a port.
        ///
        /// What is lost: between the stop and the start nobody is served; clients of the old one that it does not let finish in time
        /// are cut off; that the new one works is known only when the old one is gone. If it does not, the old settings' service is
        /// *made and started again*: it comes back without what it had in memory, and if it does not come back, the change ends as
        /// degraded. All of it has to fit into the deadline of a verification.
        case exclusive
    }

    /// A service with its settings, and its run once it was started.
    public struct Instance: Sendable {
        let settings: Settings
        /// What was made of the settings; used up by the first run.
        let made: Mutexed<(any Service)?>
        let run: Mutexed<ServiceRun?>
        let number: UInt64
    }

    private let succession: Succession
    private let startTimeout: Duration
    private let stopTimeout: Duration
    private let logger: Logger
    private let make: @Sendable (Settings) async throws -> any Service
    private let check: @Sendable (Settings) async throws -> Void
    private let live = Mutex<Instance?>(nil)
    private let instances = Atomic<UInt64>(0)
    /// Stops and starts of exclusive services.
    private let work = SerialWork()
    private let failures: AsyncStream<any Error>
    private let failing: AsyncStream<any Error>.Continuation

    /// - Parameters:
    ///   - startTimeout: How long a service may take from its start until `check` passes; 5 s, or 2 s for an exclusive one.
    ///   - stopTimeout: How long one may take to stop gracefully; 30 s, or 2 s for an exclusive one.
    ///   - make: Makes a service, which is not run yet. Throw ``ServiceRefusal`` to say why not.
    ///   - check: Looks from outside whether a service with these settings works, and throws why it does not; best by something that
    ///     only the new one answers. It is asked again until it passes. Without it, a service works as long as it runs.
    public init(
        _ succession: Succession = .overlapping, startTimeout: Duration? = nil, stopTimeout: Duration? = nil, logger: Logger,
        make: @escaping @Sendable (Settings) async throws -> any Service,
        check: @escaping @Sendable (Settings) async throws -> Void = { _ in }
    ) {
        self.succession = succession
        self.startTimeout = startTimeout ?? (succession == .exclusive ? .seconds(2) : .seconds(5))
        self.stopTimeout = stopTimeout ?? (succession == .exclusive ? .seconds(2) : .seconds(30))
        self.logger = logger
        self.make = make
        self.check = check
        (failures, failing) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Waits until graceful shutdown begins, or the service ends by itself.
    /// - Throws: What the service ended with.
    public func run() async throws {
        for await failure in failures.cancelOnGracefulShutdown() { throw failure }
    }

    // MARK: - LiveService

    public func prepare(_ settings: Settings, beside live: Instance?) async throws -> Instance {
        let instance = Instance(
            settings: settings, made: Mutexed(try await make(settings)), run: Mutexed(nil),
            number: instances.add(1, ordering: .relaxed).newValue)
        if succession == .overlapping { try await start(instance) }
        return instance
    }

    public func activate(_ next: Instance) async -> Instance? {
        live.withLock { live in
            defer { live = next }
            return live
        }
    }

    public func verify(_ live: Instance) async throws {
        switch succession {
        case .overlapping: try await look(at: live)
        case .exclusive: try await work.run { try await self.takeOver(live) }
        }
    }

    public func retire(_ instance: Instance) async {
        switch succession {
        case .overlapping: await stop(instance)
        case .exclusive: try? await work.run { await self.stop(instance) }
        }
    }

    public func verification(of settings: Settings) -> String {
        succession == .exclusive ? "its own check, after a stop and a start" : "its own check"
    }

    // MARK: - One after the other

    /// What runs, of an exclusive service.
    private let running = Mutex<Instance?>(nil)

    private func takeOver(_ instance: Instance) async throws {
        // A phase that was left behind at its deadline comes to its turn after the way back has begun.
        guard live.withLock({ $0?.number }) == instance.number else { throw ServiceRefusal("another change has taken over") }
        let former = running.withLock { $0 }
        if former?.number == instance.number { return try await look(at: instance) }
        // It ran before, so this is the way back. Whoever waits may give up; the old settings' service comes back all the same.
        if instance.made.value == nil {
            let result = await shielded { [self] () -> Result<Void, any Error> in
                do { return .success(try await replace(former, by: instance)) } catch { return .failure(error) }
            }
            return try result.get()
        }
        try Task.checkCancellation()
        try await replace(former, by: instance)
    }

    private func replace(_ former: Instance?, by next: Instance) async throws {
        if let former { await stop(former) }
        running.withLock { $0 = nil }
        try Task.checkCancellation()
        try await start(next)
        running.withLock { $0 = next }
    }

    // MARK: - One run

    /// Starts it and waits until it works. Nothing runs when this throws.
    private func start(_ instance: Instance) async throws {
        let service: any Service
        if let made = instance.made.take() { service = made } else { service = try await make(instance.settings) }
        let run = ServiceRun(service, logger: logger) { [self] failure in
            guard live.withLock({ $0?.number }) == instance.number else { return }
            logger.error("a service has ended by itself", metadata: ["error": "\(publicSentence(for: failure))"])
            failing.yield(failure)
        }
        instance.run.value = run
        do {
            try await waitUntilItWorks(instance, run)
        } catch {
            await shielded { [self] in await stop(instance) }
            throw error
        }
    }

    private func waitUntilItWorks(_ instance: Instance, _ run: ServiceRun) async throws {
        let clock = ContinuousClock()
        let deadline = clock.now + startTimeout
        var since: ContinuousClock.Instant?
        while true {
            do {
                try await look(at: instance)
                let now = clock.now
                if now >= (since ?? now) + Self.settling { return }
                since = since ?? now
            } catch {
                since = nil
                // The check's own words tell less than what the service ended with.
                try expectRunning(run)
                guard clock.now < deadline else { throw error }
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// For how long it has to work without a break: the check may be answered by the old one while the new one is about to fail.
    private static var settling: Duration { .milliseconds(100) }

    private func look(at instance: Instance) async throws {
        guard let run = instance.run.value else { throw ServiceRefusal("it was not started") }
        try expectRunning(run)
        try await check(instance.settings)
        // A check may be answered by somebody else.
        try expectRunning(run)
    }

    private func expectRunning(_ run: ServiceRun) throws {
        if let ending = run.ending { throw ServiceRefusal("the service has ended by itself: it \(publicSentence(for: ending))") }
    }

    private func stop(_ instance: Instance) async {
        guard let run = instance.run.take() else { return }
        if await !run.stop(within: stopTimeout) { logger.error("a service did not stop, and was left behind") }
    }
}
