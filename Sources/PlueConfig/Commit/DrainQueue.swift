import Logging
import ServiceLifecycle

/// Retires the instances that lost, beside everything else: a slow client delays no transaction.
///
/// Of one service, at most two instances drain at a time; when a third comes, the oldest is cut.
actor DrainQueue<Root: Sendable> {
    private let clock: any Clock<Duration>
    private let logger: Logger
    /// How long an instance that was cut may still take to close.
    private let grace: Duration
    private let generations = 2

    /// What has not been started, one entry for each transaction.
    private var waiting: [[Retirement<Root>]] = []
    /// By service, oldest first; what waits included.
    private var draining: [String: [Retirement<Root>]] = [:]
    private var wake: AsyncStream<Void>.Continuation?

    init(clock: any Clock<Duration>, grace: Duration, logger: Logger) {
        self.clock = clock
        self.grace = grace
        self.logger = logger
    }

    /// How many instances of each service drain.
    var counts: [String: Int] { draining.mapValues(\.count) }

    /// Leaves the instances to ``run()``.
    func add(_ retirements: [Retirement<Root>]) {
        guard !retirements.isEmpty else { return }
        enter(retirements)
        waiting.append(retirements)
        wake?.yield()
    }

    /// Drains what is added, until graceful shutdown begins and everything has drained.
    ///
    /// Cancellation cuts what drains, and returns as soon as that has closed.
    func run() async {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.wake = wake
        defer { self.wake = nil }
        // For what was added before.
        wake.yield()
        await withDiscardingTaskGroup { group in
            for await _ in wakes.cancelOnGracefulShutdown() { startAll(in: &group) }
            startAll(in: &group)
        }
    }

    /// Drains what nobody started yet, together with these.
    func finish(with retirements: [Retirement<Root>]) async {
        enter(retirements)
        let rest = waiting.joined() + retirements
        waiting = []
        await drain(rest)
    }

    private func startAll(in group: inout DiscardingTaskGroup) {
        for retirements in waiting {
            group.addTask { await self.drain(retirements) }
        }
        waiting = []
    }

    /// Those of the highest level first, since they may still use those below; one level together.
    private func drain(_ retirements: [Retirement<Root>]) async {
        for (_, level) in Dictionary(grouping: retirements, by: \.level).sorted(by: { $0.key > $1.key }) {
            await withDiscardingTaskGroup { [clock, grace, logger] group in
                for retirement in level {
                    group.addTask {
                        await retirement.carryOut(on: clock, grace: grace, logger: logger)
                        await self.leave(retirement)
                    }
                }
            }
        }
    }

    private func enter(_ retirements: [Retirement<Root>]) {
        for retirement in retirements {
            var generation = draining[retirement.service, default: []]
            generation.append(retirement)
            for oldest in generation.dropLast(generations) { oldest.cut() }
            draining[retirement.service] = generation
        }
    }

    private func leave(_ retirement: Retirement<Root>) {
        let rest = draining[retirement.service, default: []].filter { $0 !== retirement }
        draining[retirement.service] = rest.isEmpty ? nil : rest
    }
}
