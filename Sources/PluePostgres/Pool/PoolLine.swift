import Logging
import Synchronization

/// The connections of one login, and the tasks that do for them what is nobody's wait: opening, resetting, checking, closing.
final class PoolLine: Sendable {
    typealias Job = @Sendable () async -> Void

    let number: PoolState.Line
    let login: Login
    private let state: Mutex<State>
    private let openings: AsyncStream<Job>.Continuation
    private let jobs: AsyncStream<Job>.Continuation
    private let logger: Logger

    private struct State {
        var limits: PostgresPoolSettings.Limits
        var most: (count: Int, by: String)?
        var problem: String?
        /// The instances that have not been retired.
        var holders: Set<UInt64> = []
    }

    init(_ number: PoolState.Line, _ login: Login, _ limits: PostgresPoolSettings.Limits, logger: Logger) {
        self.number = number
        self.login = login
        self.logger = logger
        state = Mutex(State(limits: limits))
        openings = Self.work()
        jobs = Self.work()
    }

    deinit {
        openings.finish()
        jobs.finish()
    }

    /// Does all that comes, beside each other; cancels what is left when no more comes.
    ///
    /// Not bounded by itself: a connection has at most one job at a time.
    private static func work() -> AsyncStream<Job>.Continuation {
        let (stream, jobs) = AsyncStream.makeStream(of: Job.self)
        // Unstructured on purpose: it lives from the login's proof to its retirement, which are two calls of the committer.
        Task.detached {
            await withDiscardingTaskGroup { group in
                for await job in stream { group.addTask { await job() } }
                group.cancelAll()
            }
        }
        return jobs
    }

    /// - Returns: Whether it will be done.
    func addOpening(_ job: @escaping Job) -> Bool {
        if case .enqueued = openings.yield(job) { true } else { false }
    }

    func add(_ job: @escaping Job) { jobs.yield(job) }

    /// Opens no more connections, and gives up those that are being opened.
    func endOpenings() { openings.finish() }

    func end() { jobs.finish() }

    var limits: PostgresPoolSettings.Limits {
        get { state.withLock(\.limits) }
        set { state.withLock { $0.limits = newValue } }
    }

    // MARK: - Who holds it

    func hold(_ instance: UInt64) { state.withLock { _ = $0.holders.insert(instance) } }

    /// - Returns: Whether that was the last.
    func release(_ instance: UInt64) -> Bool {
        state.withLock { $0.holders.remove(instance) != nil && $0.holders.isEmpty }
    }

    // MARK: - How it fares

    /// Why its last login failed; `nil` when it did not.
    var problem: String? { state.withLock(\.problem) }

    /// The most connections the server can let it have, and what says so, if that is known.
    var most: (count: Int, by: String)? {
        get { state.withLock(\.most) }
        set { state.withLock { $0.most = newValue } }
    }

    /// Notes how a login went, and says so when that is news.
    func note(_ problem: String?) {
        let before = state.withLock { state in
            defer { state.problem = problem }
            return state.problem
        }
        if let problem, before == nil {
            logger.warning("the database cannot be logged in to", metadata: ["problem": "\(problem)"])
        } else if problem == nil, before != nil {
            logger.notice("the database can be logged in to again", metadata: ["server": "\(login.url.server)"])
        }
    }
}

extension ServerPlaces {
    /// What is wrong with that many connections; `nil` when nothing is.
    static func problem(_ limits: PostgresPoolSettings.Limits, _ most: (count: Int, by: String)?) -> String? {
        guard let most, limits.poolMax > most.count else { return nil }
        return "pool_max is \(limits.poolMax), but \(most.by) allows \(most.count) connections"
    }
}
