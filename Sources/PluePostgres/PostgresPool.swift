public import Logging
public import PlueConfig
import Synchronization

/// A pool of connections to a PostgreSQL database, whose login, size and timeouts change while it is used.
///
/// ```swift
/// let pool = PostgresPool(logger: logger)
/// try services.add(ServiceRegistration(pool, named: "database", sections: ["database"]) { … })
///
/// let names = try await pool.withConnection { connection in
///     try await connection.query("SELECT name FROM users WHERE team = $1", [team]).rows
/// }
/// ```
///
/// - Size and timeouts change behind the same connections: nobody is connected anew.
/// - Another login or address is proven beside the running one. Then leases come from the new; those who have a connection of the
///   old one finish with it, and those who wait get one of the new.
/// - The server's `max_connections`, and the limits of role and database, hold for old and new together: where they leave no place,
///   idle old connections go first.
public final class PostgresPool: LiveService {
    private let logger: Logger
    private let timing: PoolState.Timing
    private let tick: Duration
    private let live = Mutex<Instance?>(nil)
    private let instances = Atomic<UInt64>(0)
    /// Made with the first login: without a database there is no thread.
    private let runner = Mutex<PoolRunner?>(nil)

    /// A login, or none, with the limits it is to have. Instances of one login share its connections.
    public struct Instance: Sendable {
        let line: PoolLine?
        let limits: PostgresPoolSettings.Limits
        let number: UInt64
        /// Whether it brings a login that has just been proven: if that does not work, going back helps.
        let isProven: Bool
    }

    /// A pool without a database, until it is given settings.
    public convenience init(logger: Logger) {
        self.init(logger: logger, timing: PoolState.Timing(), tick: .seconds(10))
    }

    init(logger: Logger, timing: PoolState.Timing, tick: Duration) {
        self.logger = logger
        self.timing = timing
        self.tick = tick
    }

    // MARK: - Using it

    /// Most tasks that wait for a connection; more are turned away at once.
    public static let mostWaiting = 1000

    /// Lends a connection.
    ///
    /// Whoever came first is served first. The connection is as new: no transaction, setting, lock or temporary table of its last
    /// user is left. Do not ask for a second one inside: with every connection in such hands, all would wait for each other.
    ///
    /// - Parameters:
    ///   - patience: Longest time to wait for a connection.
    ///   - body: Gets the connection, which is not to be used after it has returned.
    /// - Throws: ``PostgresError`` when there is none; whatever `body` throws.
    @discardableResult
    public func withConnection<Value>(
        waitingAtMost patience: Duration = .seconds(10), _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        guard let runner = runner.withLock({ $0 }) else { throw PostgresError.noDatabase }
        let lease = try await runner.lease(within: patience)
        let connection = PostgresConnection(lease)
        defer {
            connection.end()
            runner.giveBack(lease)
        }
        return try await body(connection)
    }

    /// How a pool fares.
    public struct Status: Hashable, Sendable {
        /// Whether it can be used.
        public enum State: Hashable, Sendable {
            /// No database is set, or none yet.
            case off
            case ready
            /// The last attempt to log in failed, for this reason. Connections that are open may work still.
            case degraded(reason: String)
        }

        /// Whether it has a database, and whether that answers.
        public var state: State
        /// Connections that are open: idle, lent, and those that are made ready in between.
        public var open = 0
        public var idle = 0
        /// Connections that are lent.
        public var leased = 0
        /// Tasks that wait for a connection.
        public var waiting = 0
    }

    /// How the pool stands at this moment.
    public var status: Status {
        guard let line = live.withLock({ $0?.line }), let runner = runner.withLock({ $0 }) else { return Status(state: .off) }
        let counts = runner.counts
        return Status(
            state: line.problem.map { .degraded(reason: $0) } ?? .ready, open: counts.open, idle: counts.idle, leased: counts.leased,
            waiting: counts.waiting)
    }

    // MARK: - Preparing

    public func prepare(_ settings: PostgresPoolSettings, beside live: Instance?) async throws -> Instance {
        if let problem = settings.limits.problem { throw ServiceRefusal(problem) }
        guard let login = try Login(settings) else { return makeInstance(nil, settings, isProven: false) }
        if let line = live?.line, line.login == login {
            if let problem = ServerPlaces.problem(settings.limits, line.most) { throw ServiceRefusal(problem) }
            return makeInstance(line, settings, isProven: false)
        }
        try login.checkEnvironment()
        try login.checkFiles()
        let runner = try startedRunner()
        let line = runner.addLine(login, settings.limits)
        do {
            return makeInstance(line, settings, isProven: try await prove(line, beside: live, runner))
        } catch {
            await runner.end(line, within: .zero)
            throw error is PostgresError ? ServiceRefusal("\(error)") : error
        }
    }

    /// Proves the login. One that does not work is good enough where the running one does not work either: there is nothing to
    /// lose, and whoever repairs a database must be able to say where it is now.
    /// - Returns: Whether it works.
    private func prove(_ line: PoolLine, beside live: Instance?, _ runner: PoolRunner) async throws -> Bool {
        do {
            try await runner.prove(line)
            return true
        } catch PostgresError.connect(let problem) {
            guard try await hasNothingToLose(live, problem, runner) else { throw PostgresError.connect(problem) }
            runner.goWithoutProof(line, because: problem.sentence)
            return false
        }
    }

    private func hasNothingToLose(_ live: Instance?, _ problem: ConnectProblem, _ runner: PoolRunner) async throws -> Bool {
        // At a first start the server may only be late. What it refuses will not do later either.
        guard let live else { return problem.isAbsence }
        guard let line = live.line else { return false }
        return try await !runner.works(line, within: Self.patienceWithTheOld)
    }

    /// Together with the new login's timeout of 5 seconds, less than a preparation may take.
    private static let patienceWithTheOld: Duration = .seconds(3)

    private func startedRunner() throws -> PoolRunner {
        try runner.withLock { runner in
            if let runner { return runner }
            let reactor: Reactor
            do { reactor = try Reactor() } catch { throw ServiceRefusal("the pool cannot wait for sockets: \(error)") }
            let started = PoolRunner(on: reactor, timing: timing, tick: tick, mostWaiting: Self.mostWaiting, logger: logger)
            runner = started
            return started
        }
    }

    private func makeInstance(_ line: PoolLine?, _ settings: PostgresPoolSettings, isProven: Bool) -> Instance {
        let number = instances.add(1, ordering: .relaxed).newValue
        line?.hold(number)
        return Instance(line: line, limits: settings.limits, number: number, isProven: isProven)
    }

    // MARK: - The other phases

    public func activate(_ next: Instance) async -> Instance? {
        let previous = live.withLock { live in
            defer { live = next }
            return live
        }
        runner.withLock { $0 }?.activate(next.line, next.limits)
        return previous
    }

    /// For the look from outside, which a committer itself does not wait for much longer.
    private static let patience: Duration = .seconds(4)

    public func verify(_ live: Instance) async throws {
        guard let line = live.line, let runner = runner.withLock({ $0 }) else { return }
        // All connections are with users who are served: the look from outside would wait for one of them.
        if runner.isExhausted { return }
        let patience: Duration = line.problem == nil ? Self.patience : .seconds(1)
        do {
            try await withConnection(waitingAtMost: patience) { try await $0.query("SELECT 1", within: Self.patience) }
        } catch let error as PostgresError {
            if case .noConnection = error, runner.isExhausted { return }
            if live.isProven { throw ServiceRefusal("\(error)") }
            // Going back would lead to the same login, or to another that does not work.
            logger.warning("the database does not answer", metadata: ["problem": "\(error)"])
        }
    }

    public func retire(_ instance: Instance) async {
        let isLive = live.withLock { live in
            // The live instance itself is retired when the process ends.
            guard live?.number == instance.number else { return false }
            live = nil
            return true
        }
        guard let runner = runner.withLock({ $0 }) else { return }
        if isLive { runner.stopLending() }
        // Instances of one login share its connections, which end with the last of them.
        guard let line = instance.line, line.release(instance.number) else { return }
        await runner.end(line, within: instance.limits.drainTimeout)
    }

    public func action(from old: PostgresPoolSettings, to new: PostgresPoolSettings) -> ServiceAction { old.action(to: new) }

    public func verification(of settings: PostgresPoolSettings) -> String { settings.verification }
}
