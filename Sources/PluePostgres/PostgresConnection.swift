import Synchronization

/// A connection in your hands, until the closure it was given to returns.
public final class PostgresConnection: Sendable {
    private let lease: PoolLease
    private let isEnded = Atomic<Bool>(false)

    init(_ lease: PoolLease) { self.lease = lease }

    /// Largest result a query returns unless it asks for more, in bytes.
    public static let defaultLimit = 64 * 1_048_576

    /// How much longer than the server's statement timeout the answer may be on its way.
    private static let grace: Duration = .seconds(5)

    /// The server's process for this connection.
    public var backend: Int { Int(lease.session.backend) }

    /// Runs one statement.
    ///
    /// ```swift
    /// let found = try await connection.query("SELECT name FROM users WHERE id = $1", ["\(id)"])
    /// ```
    ///
    /// - Parameters:
    ///   - sql: One statement; parameters are `$1`, `$2`, …
    ///   - parameters: Their values as texts; `nil` is NULL.
    ///   - timeout: Longest it may take; the pool's statement timeout counts besides, which the server itself observes.
    ///   - limit: Most bytes of rows.
    /// - Throws: ``PostgresError``; `CancellationError` when the task was cancelled. The statement was cancelled then, unless it was
    ///   over already.
    @discardableResult
    public func query(
        _ sql: String, _ parameters: [String?] = [], within timeout: Duration? = nil, limit: Int = defaultLimit
    ) async throws -> PostgresResult {
        if isEnded.load(ordering: .acquiring) { throw PostgresError.leaseEnded }
        if sql.contains("\0") { throw PostgresError.invalid("a statement has no NUL in it") }
        if parameters.count > 65_535 { throw PostgresError.invalid("a statement has at most 65535 parameters") }
        for (index, parameter) in parameters.enumerated() where parameter?.utf8.contains(0) == true {
            throw PostgresError.invalid("parameter \(index + 1) has a NUL in it, which PostgreSQL's texts cannot hold")
        }
        let timeout = timeout ?? defaultTimeout
        return try await lease.session.execute(.extended(sql, parameters), until: .now + timeout, timeout: timeout, limit: limit)
    }

    /// Runs statements as one transaction: all of them count, or none.
    ///
    /// When `body` throws, or its task is cancelled, the transaction is rolled back.
    @discardableResult
    public func transaction<Value>(_ body: () async throws -> Value) async throws -> Value {
        try await query("BEGIN")
        let value: Value
        do {
            value = try await body()
        } catch {
            // In a cancelled task this does not reach the server; the pool rolls back before it lends the connection again.
            _ = try? await query("ROLLBACK")
            throw error
        }
        // The server answers a commit of what has failed with a rollback, and calls that a success.
        guard try await query("COMMIT").command == "COMMIT" else { throw PostgresError.rolledBack }
        return value
    }

    private var defaultTimeout: Duration {
        let statementTimeout = lease.line.limits.statementTimeout
        // As long as it takes, where the settings say so.
        return statementTimeout == .zero ? .seconds(365 * 86_400) : statementTimeout + Self.grace
    }

    /// From here on it belongs to somebody else.
    func end() { isEnded.store(true, ordering: .releasing) }
}
