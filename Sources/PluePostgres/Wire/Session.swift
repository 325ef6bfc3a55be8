import Foundation
import Synchronization
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// One open connection to the server: a statement at a time, none of them ever blocking a thread of the cooperative pool.
final class Session: Sendable {
    private let connection: Mutex<PGConnection?>
    private let reactor: Reactor
    private let socket: Int32
    private let usesTLS: Bool
    private let state: Mutex<State>

    /// The server's process for this connection.
    let backend: Int32
    /// What the server goes back to when the session is reset.
    private let firstStatementTimeout: Duration

    private struct State {
        var isBusy = false
        var isBroken = false
        /// The pool takes it back: whatever comes fails.
        var isCut = false
        var statementTimeout: Duration
    }

    /// Longest the server may take to give up a statement, and to answer where it has nothing to do.
    static let patience: Duration = .seconds(5)

    /// libpq keeps a part of a TLS record at times that the socket does not tell of.
    private static let tlsLook: Duration = .milliseconds(200)

    init(_ connection: consuming sending PGConnection, on reactor: Reactor, statementTimeout: Duration) {
        socket = connection.socket
        usesTLS = connection.usesTLS
        backend = connection.backend
        self.reactor = reactor
        self.connection = Mutex(connection)
        firstStatementTimeout = statementTimeout
        state = Mutex(State(statementTimeout: statementTimeout))
    }

    // MARK: - Statements

    /// Runs a statement to its end.
    ///
    /// When the deadline passes or the task is cancelled, the server is asked to give the statement up. If it was over already,
    /// its result counts all the same: what was done, was done.
    /// - Parameter timeout: For the error's words.
    func execute(
        _ statement: PGConnection.Statement, until deadline: Instant, timeout: Duration, limit: Int = .max
    ) async throws -> PostgresResult {
        try await execute(statement, until: deadline, limit: limit) { [self] reply async throws in
            try await givenUp(reply, because: PostgresError.overdue(after: timeout))
        }
    }

    /// Runs a statement of the pool's own, which a server that works answers at once: at the deadline the connection is broken.
    @discardableResult
    private func housekeep(_ sql: String) async throws -> PostgresResult {
        try await execute(.simple(sql), until: .now + Self.patience, limit: .max) { [self] _ in throw lost() }
    }

    private func execute(
        _ statement: PGConnection.Statement, until deadline: Instant, limit: Int,
        overdue: (consuming Reply) async throws -> PostgresResult
    ) async throws -> PostgresResult {
        try Task.checkCancellation()
        try begin()
        defer { state.withLock { $0.isBusy = false } }
        guard connection.withLock({ $0?.send(statement) ?? false }) else { throw lost() }
        var reply = Reply(limit: limit)
        while true {
            switch connection.withLock({ $0?.advance(&reply) ?? .lost }) {
            case .finished:
                if connection.withLock({ $0?.hasFailed ?? true }) { markBroken() }
                // Who was cut reads so, and not that somebody cancelled the statement.
                if let error = reply.error { throw state.withLock(\.isCut) ? .retired : error }
                return reply.result
            case .lost:
                let loss = lost()
                throw reply.error ?? loss
            case .waiting(let interest):
                if let error = reply.error, case .resultTooLarge = error {
                    await giveUp(&reply)
                    throw error
                }
                switch await reactor.wait(for: interest, on: socket, until: nextLook(deadline)) {
                case .ready: continue
                case .overdue where ContinuousClock.now < deadline: continue
                case .overdue: return try await overdue(reply)
                case .cancelled: return try await givenUp(reply, because: CancellationError())
                case .failed: throw lost()
                }
            }
        }
    }

    private func begin() throws(PostgresError) {
        let error: PostgresError? = state.withLock { state in
            if state.isCut { return .retired }
            if state.isBroken { return .connectionLost }
            if state.isBusy { return .busy }
            state.isBusy = true
            return nil
        }
        if let error { throw error }
    }

    private func lost() -> PostgresError {
        markBroken()
        return state.withLock(\.isCut) ? .retired : .connectionLost
    }

    private func markBroken() { state.withLock { $0.isBroken = true } }

    private func nextLook(_ deadline: Instant) -> Instant {
        usesTLS ? min(deadline, .now + Self.tlsLook) : deadline
    }

    private func givenUp(_ reply: consuming Reply, because error: any Error) async throws -> PostgresResult {
        if await giveUp(&reply), reply.error == nil { return reply.result }
        throw state.withLock(\.isCut) ? PostgresError.retired : error
    }

    /// Has the server give up the statement and waits for the end of its answer.
    ///
    /// The request to cancel names the connection, not the statement: it has to be over before the connection does anything else.
    /// - Returns: Whether the answer came to its end; the connection is broken otherwise.
    @discardableResult
    private func giveUp(_ reply: inout Reply) async -> Bool {
        let deadline = ContinuousClock.now + Self.patience
        let request = requestCancellation()
        while true {
            switch connection.withLock({ $0?.advance(&reply) ?? .lost }) {
            case .finished:
                let isOver = await reactor.answer(of: request, until: deadline, overdue: false, cancelled: nil)
                if !isOver || connection.withLock({ $0?.hasFailed ?? true }) { markBroken() }
                return true
            case .lost:
                markBroken()
                return false
            case .waiting(let interest):
                let outcome = await reactor.wait(for: interest, on: socket, until: nextLook(deadline), heedsCancellation: false)
                if outcome == .failed || ContinuousClock.now >= deadline {
                    markBroken()
                    return false
                }
            }
        }
    }

    private func requestCancellation() -> Ticket<Bool> {
        let ticket = Ticket<Bool>()
        let cancellation = connection.withLock { $0?.cancellation() ?? 0 }
        // On a thread of its own, so that it does not queue behind logins: there is at most one for a connection.
        Thread.detachNewThread { ticket.decide(PGConnection.cancel(cancellation)) }
        return ticket
    }

    // MARK: - Between two users

    /// Whether it can go on to another user: looks without asking the server.
    var isUsable: Bool {
        if state.withLock({ $0.isBroken || $0.isCut || $0.isBusy }) { return false }
        return connection.withLock { $0?.hasFailed == false }
    }

    /// Whether it can be lent: asks the server only if that has said something, or was not heard of for long.
    func isFit(asking: Bool) async -> Bool {
        guard isUsable else { return false }
        switch connection.withLock({ $0?.listen() ?? .ended }) {
        case .ended: return false
        case .kept where !asking: return true
        case .kept, .broken: return await answers()
        }
    }

    /// Whether the server answers.
    func answers() async -> Bool {
        (try? await housekeep("SELECT 1")) != nil
    }

    /// Has statements take so long at most, if that is not so already.
    func apply(statementTimeout: Duration) async throws {
        if state.withLock({ $0.statementTimeout == statementTimeout }) { return }
        try await housekeep(Self.setting(statementTimeout))
        state.withLock { $0.statementTimeout = statementTimeout }
    }

    /// Takes away all that a user may have left: a transaction, settings, roles, locks, temporary tables, prepared statements.
    ///
    /// `DISCARD ALL` costs less than a `SELECT` (15 µs against 20, measured), so nobody has to prove that it is not needed. It
    /// goes back to the statement timeout the session began with; where that is another by now, its parts are sent instead,
    /// in one message with the new one (38 µs).
    /// - Returns: Whether it is as new.
    func reset(statementTimeout: Duration) async -> Bool {
        let transaction = connection.withLock { $0?.transaction ?? .unknown }
        if transaction == .unknown || state.withLock({ $0.isBroken || $0.isCut }) { return false }
        let statements =
            (transaction == .open ? ["ROLLBACK"] : [])
            + (statementTimeout == firstStatementTimeout ? ["DISCARD ALL"] : [Self.partsOfDiscardAll + Self.setting(statementTimeout)])
        for sql in statements {
            guard (try? await housekeep(sql)) != nil else { return false }
        }
        state.withLock { $0.statementTimeout = statementTimeout }
        return true
    }

    /// As PostgreSQL's documentation lists them: `DISCARD ALL` itself is not allowed beside other statements.
    private static let partsOfDiscardAll = """
        CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; \
        SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES; 
        """

    private static func setting(_ statementTimeout: Duration) -> String { "SET statement_timeout = \(statementTimeout.milliseconds)" }

    // MARK: - The end

    /// Takes it from whoever uses it: what runs is cancelled, what comes fails.
    func cut() {
        state.withLock { $0.isCut = true }
        _ = requestCancellation()
    }

    /// Ends it at once: who waits for an answer gets an error, and with the last who has it, it is closed.
    ///
    /// The socket is shut down and not closed, because a socket that is closed wakes nobody.
    func abandon() {
        state.withLock { $0.isCut = true }
        connection.withLock { connection in
            if let socket = connection?.socket { _ = shutdown(socket, Int32(SHUT_RDWR)) }
        }
    }

    /// Says goodbye and waits, for a second at most, until the server has let it go: only then has the server a place free.
    ///
    /// The server closes its end last, after it has given the place back.
    func close() async {
        let isBroken = state.withLock { state in
            state.isCut = true
            return state.isBroken
        }
        let copy = isBroken ? -1 : fcntl(socket, F_DUPFD_CLOEXEC, 0)
        connection.withLock { $0 = nil }
        guard copy >= 0 else { return }
        defer { _ = Self.closeDescriptor(copy) }
        let deadline = ContinuousClock.now + .seconds(1)
        var rest = [UInt8](repeating: 0, count: 4096)
        while await reactor.wait(for: .reading, on: copy, until: deadline, heedsCancellation: false) == .ready {
            // Words of a server that has not heard yet are dropped.
            if recv(copy, &rest, rest.count, 0) <= 0 { return }
        }
    }

    private static func closeDescriptor(_ descriptor: Int32) -> Int32 {
        #if canImport(Darwin)
        Darwin.close(descriptor)
        #else
        Glibc.close(descriptor)
        #endif
    }
}
