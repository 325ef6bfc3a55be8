import Logging
import PlueConfig
import Synchronization

/// A connection in somebody's hands.
struct PoolLease: Sendable {
    let number: PoolState.Connection
    let session: Session
    let line: PoolLine
    /// When the connection was last heard of.
    let heard: Instant
}

/// Does what ``PoolState`` decides: asks it under a lock, and acts outside of it.
final class PoolRunner: Sendable {
    private let core: Mutex<Core>
    private let timing: PoolState.Timing
    private let tick: Duration
    private let logger: Logger
    let reactor: Reactor

    private enum Answer {
        case lent(PoolLease)
        case refused(PostgresError)
        case overdue, cancelled
    }

    private struct Core {
        var state: PoolState
        var lines: [PoolState.Line: PoolLine] = [:]
        var sessions: [PoolState.Connection: Session] = [:]
        var waiting: [PoolState.Waiter: Ticket<Answer>] = [:]
        var admissions: [PoolState.Line: Ticket<Admission>] = [:]
        var drains: [PoolState.Line: Ticket<Bool>] = [:]
    }

    private enum Admission {
        case admitted, overdue, cancelled
    }

    init(on reactor: Reactor, timing: PoolState.Timing, tick: Duration, mostWaiting: Int, logger: Logger) {
        self.reactor = reactor
        self.timing = timing
        self.tick = tick
        self.logger = logger
        core = Mutex(Core(state: PoolState(timing: timing, mostWaiting: mostWaiting)))
    }

    // MARK: - Deciding and acting

    private typealias Deed = @Sendable () -> Void

    /// Tells the state of an event and does what follows.
    private func on<Value>(_ event: (inout Core) -> (Value, [PoolState.Action])) -> Value {
        let (value, deeds) = core.withLock { core in
            let (value, actions) = event(&core)
            return (value, actions.compactMap { deed($0, &core) })
        }
        for deed in deeds { deed() }
        return value
    }

    private func on(_ event: (inout PoolState, Instant) -> [PoolState.Action]) {
        on { (core: inout Core) in ((), event(&core.state, .now)) }
    }

    /// What an action means, looked up under the lock and done outside of it.
    private func deed(_ action: PoolState.Action, _ core: inout Core) -> Deed? {
        switch action {
        case .open(let number):
            guard let line = core.lines[number] else { return nil }
            return {
                // The line may have ended in this moment.
                if !line.addOpening({ await self.open(line) }) { self.on { $0.openingFailed(number, at: $1) } }
            }
        case .admit(let number):
            let ticket = core.admissions.removeValue(forKey: number)
            return { if ticket?.decide(.admitted) != true { self.on { $0.openingFailed(number, at: $1) } } }
        case .retry(let number, let pause):
            guard let line = core.lines[number] else { return nil }
            return {
                line.add {
                    try? await Task.sleep(for: pause)
                    self.on { $0.retry(number, at: $1) }
                }
            }
        case .lend(let number, let waiter):
            guard let lease = lease(number, of: core, heard: .now) else { return nil }
            let ticket = core.waiting.removeValue(forKey: waiter)
            // Whoever waited may have gone in this moment.
            return { if ticket?.decide(.lent(lease)) != true { self.giveBack(lease) } }
        case .refuse(let waiter, let error):
            let ticket = core.waiting.removeValue(forKey: waiter)
            return { ticket?.decide(.refused(error)) }
        case .reset(let number): return job(for: number, of: core) { await self.reset(number, $0, $1) }
        case .check(let number): return job(for: number, of: core) { await self.check(number, $0, $1) }
        case .close(let number):
            return job(for: number, of: core) { session, _ in
                await session.close()
                _ = self.core.withLock { $0.sessions.removeValue(forKey: number) }
                self.on { $0.closed(number, at: $1) }
            }
        case .drained(let number):
            let ticket = core.drains.removeValue(forKey: number)
            return { ticket?.decide(true) }
        }
    }

    private func lease(_ number: PoolState.Connection, of core: Core, heard: Instant) -> PoolLease? {
        guard let session = core.sessions[number], let line = core.state.line(of: number).flatMap({ core.lines[$0] }) else { return nil }
        return PoolLease(number: number, session: session, line: line, heard: heard)
    }

    private func job(
        for number: PoolState.Connection, of core: Core, _ job: @escaping @Sendable (Session, PoolLine) async -> Void
    ) -> Deed? {
        guard let lease = lease(number, of: core, heard: .now) else { return nil }
        return { lease.line.add { await job(lease.session, lease.line) } }
    }

    // MARK: - Jobs

    private func open(_ line: PoolLine) async {
        let limits = line.limits
        do {
            let session = try await Session.open(
                line.login, statementTimeout: limits.statementTimeout, until: .now + limits.connectTimeout, timeout: limits.connectTimeout,
                on: reactor)
            guard let number = await enter(session, line) else { return }
            line.note(nil)
            await count(with: session, line)
            on { $0.ready(number, at: $1) }
        } catch {
            failedToOpen(line, error)
        }
    }

    private func failedToOpen(_ line: PoolLine, _ error: any Error) {
        if case PostgresError.connect(let problem) = error {
            line.note(problem.sentence)
            if problem.state == .tooManyConnections { on { state, _ in state.makeWay(for: line.number) } }
        }
        on { $0.openingFailed(line.number, at: $1) }
    }

    /// - Returns: `nil` when there is no use for the connection any more; it is closed then.
    private func enter(_ session: Session, _ line: PoolLine) async -> PoolState.Connection? {
        let number = core.withLock { core in
            let number = core.state.opened(line.number)
            if let number { core.sessions[number] = session }
            return number
        }
        if number == nil {
            await session.close()
            on { $0.openingFailed(line.number, at: $1) }
        }
        return number
    }

    private func reset(_ number: PoolState.Connection, _ session: Session, _ line: PoolLine) async {
        let isAsNew = await session.reset(statementTimeout: line.limits.statementTimeout)
        if isAsNew { await count(with: session, line) }
        on { isAsNew ? $0.ready(number, at: $1) : $0.failed(number, at: $1) }
    }

    private func check(_ number: PoolState.Connection, _ session: Session, _ line: PoolLine) async {
        let isThere = await session.answers()
        if isThere { await count(with: session, line) }
        on { isThere ? $0.ready(number, at: $1) : $0.failed(number, at: $1) }
    }

    /// Counts the server's places, when it is time to.
    private func count(with session: Session, _ line: PoolLine) async {
        let own: [Int32]? = core.withLock { core in
            core.state.wantsCount(line.number, at: .now) ? core.sessions.values.map(\.backend) : nil
        }
        guard let own else { return }
        let places = try? await ServerPlaces.count(with: session, login: line.login, beside: own, until: .now + Session.patience)
        learn(places ?? nil, line)
    }

    private func learn(_ places: ServerPlaces?, _ line: PoolLine) {
        if let places { line.most = places.most }
        on { $0.learn(places?.left ?? [:], for: line.number, at: $1) }
    }

    // MARK: - Leases

    /// Waits for a connection that works.
    func lease(within patience: Duration) async throws -> PoolLease {
        let deadline = ContinuousClock.now + patience
        while true {
            try Task.checkCancellation()
            let lease = try await take(until: deadline, patience)
            do {
                if try await isFit(lease) { return lease }
            } catch {
                giveBack(lease)
                throw error
            }
            lease.session.abandon()
            on { $0.giveBack(lease.number, isUsable: false, at: $1) }
        }
    }

    private func take(until deadline: Instant, _ patience: Duration) async throws -> PoolLease {
        enum Taken {
            case lent(PoolLease)
            case queued(PoolState.Waiter, Ticket<Answer>)
        }
        let taken = on { (core: inout Core) -> (Result<Taken, PostgresError>, [PoolState.Action]) in
            do throws(PostgresError) {
                let (answer, actions) = try core.state.request(at: .now)
                switch answer {
                case .lent(let idle):
                    guard let lease = lease(idle.connection, of: core, heard: idle.heard) else { throw .connectionLost }
                    return (.success(.lent(lease)), actions)
                case .queued(let waiter):
                    let ticket = Ticket<Answer>()
                    core.waiting[waiter] = ticket
                    return (.success(.queued(waiter, ticket)), actions)
                }
            } catch {
                return (.failure(error), [])
            }
        }
        switch try taken.get() {
        case .lent(let lease): return lease
        case .queued(let waiter, let ticket):
            switch await reactor.answer(of: ticket, until: deadline, overdue: .overdue, cancelled: .cancelled) {
            case .lent(let lease): return lease
            case .refused(let error): throw error
            case .overdue:
                throw PostgresError.noConnection(within: patience, problem: leave(waiter))
            case .cancelled:
                leave(waiter)
                throw CancellationError()
            }
        }
    }

    /// - Returns: What keeps the pool from opening connections.
    @discardableResult
    private func leave(_ waiter: PoolState.Waiter) -> String? {
        core.withLock { core in
            core.waiting[waiter] = nil
            core.state.leave(waiter)
            return core.state.live.flatMap { core.lines[$0]?.problem }
        }
    }

    /// Whether a connection that was idle may be lent: it is there, and has the statement timeout that counts now.
    private func isFit(_ lease: PoolLease) async throws -> Bool {
        guard await lease.session.isFit(asking: lease.heard.duration(to: .now) > timing.checkAfter) else {
            // The server may not have been asked.
            try Task.checkCancellation()
            return false
        }
        do {
            try await lease.session.apply(statementTimeout: lease.line.limits.statementTimeout)
            return true
        } catch is PostgresError {
            return false
        }
    }

    func giveBack(_ lease: PoolLease) {
        // One that is busy has a user still, who was not waited for.
        let isUsable = lease.session.isUsable
        if !isUsable { lease.session.abandon() }
        on { $0.giveBack(lease.number, isUsable: isUsable, at: $1) }
    }

    // MARK: - Lines

    func addLine(_ login: Login, _ limits: PostgresPoolSettings.Limits) -> PoolLine {
        let line = core.withLock { core in
            let number = core.state.addLine(login.scopes, limits.size)
            let line = PoolLine(number, login, limits, logger: logger)
            core.lines[number] = line
            return line
        }
        line.add { [weak self, tick] in
            while (try? await Task.sleep(for: tick)) != nil { self?.on { $0.tick($1) } }
        }
        return line
    }

    /// Opens the line's first connection and asks something of it.
    /// - Throws: ``PostgresError`` when the login does not work; ``PlueConfig/ServiceRefusal`` when the settings do not fit the
    ///   server.
    func prove(_ line: PoolLine) async throws {
        let limits = line.limits
        let deadline = ContinuousClock.now + limits.connectTimeout
        let session = try await openForProof(line, limits, deadline)
        guard let number = await enter(session, line) else { throw PostgresError.retired }
        do {
            let own = core.withLock { $0.sessions.values.map(\.backend) }
            let places = try await ServerPlaces.count(with: session, login: line.login, beside: own, until: deadline)
            if places == nil, await !session.answers() { throw PostgresError.connectionLost }
            if let problem = ServerPlaces.problem(limits, places?.most) { throw ServiceRefusal(problem) }
            learn(places, line)
        } catch {
            on { $0.failed(number, at: $1) }
            throw error
        }
        line.note(nil)
        on { $0.proved(line.number, by: number, at: $1) }
    }

    private func openForProof(_ line: PoolLine, _ limits: PostgresPoolSettings.Limits, _ deadline: Instant) async throws -> Session {
        while true {
            try await admission(of: line, until: deadline)
            do {
                return try await Session.open(
                    line.login, statementTimeout: limits.statementTimeout, until: deadline, timeout: limits.connectTimeout, on: reactor)
            } catch PostgresError.connect(let problem) where problem.state == .tooManyConnections && .now < deadline {
                // Somebody else was quicker, or the server is known by another name too: one of ours goes, wherever it is.
                on { $0.openingFailed(line.number, at: $1) }
                on { state, _ in state.makeWay(for: line.number) }
                try await Task.sleep(for: .milliseconds(50))
            } catch {
                on { $0.openingFailed(line.number, at: $1) }
                throw error
            }
        }
    }

    /// Waits until the server has a place for one more connection.
    private func admission(of line: PoolLine, until deadline: Instant) async throws {
        let ticket = Ticket<Admission>()
        on { (core: inout Core) in
            core.admissions[line.number] = ticket
            return ((), core.state.askForProof(of: line.number, at: .now))
        }
        switch await reactor.answer(of: ticket, until: deadline, overdue: .overdue, cancelled: .cancelled) {
        case .admitted: return
        case .overdue:
            throw ServiceRefusal(
                "\(line.login.url.server) has no connection left for the new login, and those of the old one are all in use")
        case .cancelled: throw CancellationError()
        }
    }

    /// Whether the live login still works, tried with a connection that nobody needs.
    ///
    /// Where the server refuses it, it does not, even though connections may be open that date from before. Where the server is
    /// only slow or full or not reached, they are what counts.
    func works(_ line: PoolLine, within timeout: Duration) async throws -> Bool {
        let limits = line.limits
        do {
            let session = try await Session.open(
                line.login, statementTimeout: limits.statementTimeout, until: .now + timeout, timeout: timeout, on: reactor)
            await session.close()
            return true
        } catch PostgresError.connect(let problem) where problem.state != nil && !problem.isAbsence {
            return false
        } catch is PostgresError {
            guard let lease = try? await lease(within: .seconds(1)) else {
                try Task.checkCancellation()
                return core.withLock { !$0.state.leased(line.number).isEmpty }
            }
            defer { giveBack(lease) }
            return await lease.session.answers()
        }
    }

    /// Has leases come from a line, or from none.
    func activate(_ line: PoolLine?, _ limits: PostgresPoolSettings.Limits) {
        line?.limits = limits
        on { state, now in
            if let line { state.activate(line.number, limits.size, at: now) } else { state.deactivate(because: .noDatabase) }
        }
    }

    /// Lends no more connections: the process ends.
    func stopLending() { on { state, _ in state.deactivate(because: .retired) } }

    /// Lets a line be used that could not be proven.
    func goWithoutProof(_ line: PoolLine, because problem: String) {
        line.note(problem)
        on { $0.goWithoutProof(line.number, at: $1) }
    }

    /// Waits for those who use the line's connections, for a time; then takes the connections away.
    func end(_ line: PoolLine, within patience: Duration) async {
        on { $0.end(line.number, at: $1) }
        line.endOpenings()
        if await !isDrained(line, until: .now + patience, waitsWhenCancelled: false) {
            for session in leased(line) { session.cut() }
            if await !isDrained(line, until: .now + Self.lastWait, waitsWhenCancelled: true) {
                for session in leased(line) { session.abandon() }
            }
        }
        on { (core: inout Core) in
            let gone = core.sessions.keys.filter { core.state.line(of: $0) == line.number }
            for number in gone { core.sessions[number] = nil }
            core.lines[line.number] = nil
            return ((), core.state.forget(line.number, at: .now))
        }
        line.end()
    }

    /// For the server to give up what runs.
    private static let lastWait: Duration = .milliseconds(700)

    private func isDrained(_ line: PoolLine, until deadline: Instant, waitsWhenCancelled: Bool) async -> Bool {
        let ticket = Ticket<Bool>()
        let isDrained = core.withLock { core in
            core.drains[line.number] = ticket
            return core.state.isDrained(line.number)
        }
        if isDrained { return true }
        return await reactor.answer(of: ticket, until: deadline, overdue: false, cancelled: waitsWhenCancelled ? nil : false)
    }

    private func leased(_ line: PoolLine) -> [Session] {
        core.withLock { core in core.state.leased(line.number).compactMap { core.sessions[$0] } }
    }

    // MARK: - For the status

    var counts: PoolState.Counts { core.withLock(\.state.counts) }
    var isExhausted: Bool { core.withLock { $0.state.isExhausted(.now) } }
}

extension PostgresPoolSettings.Limits {
    var size: PoolState.Size { PoolState.Size(min: poolMin, max: poolMax) }
}
