import Foundation
import Logging
import PlueConfig
import Synchronization
import TestGround
import Testing

@testable import PluePostgres

/// The tests that share a server. One after the other: a login costs both sides a few thousand rounds of SHA-256.
@Suite("PostgreSQL", .serialized, .cluster)
struct PostgresTests {}

/// A pool, driven through its phases as the committer does it.
final class Stage: ServiceStage {
    let service: PostgresPool
    let live = Live<PostgresPool.Instance>()

    init(_ pool: PostgresPool = PostgresPool(logger: quiet)) { service = pool }

    var pool: PostgresPool { service }

    /// Starts a pool, and takes it down again however the body ends.
    static func run<Value>(
        _ settings: PostgresPoolSettings, pool: PostgresPool = PostgresPool(logger: quiet), _ body: (Stage) async throws -> Value
    ) async throws -> Value {
        try await Stage(pool).run(settings, body)
    }

    // MARK: - Using the pool

    func query(_ sql: String, _ parameters: [String?] = []) async throws -> PostgresResult {
        try await pool.withConnection { try await $0.query(sql, parameters) }
    }

    func backend() async throws -> Int { try await pool.withConnection { $0.backend } }

    /// Takes so many connections at once, and gives them back when all are there.
    @discardableResult
    func take(_ count: Int) async throws -> Set<Int> {
        let (all, taken) = (Gate(), Counter())
        return try await withThrowingTaskGroup { group in
            for _ in 0..<count {
                group.addTask {
                    try await self.pool.withConnection(waitingAtMost: .seconds(30)) { connection async throws in
                        if taken.increase() == count { all.open() }
                        await all.pass()
                        return connection.backend
                    }
                }
            }
            do {
                return try await group.reduce(into: []) { $0.insert($1) }
            } catch {
                all.open()
                throw error
            }
        }
    }
}

extension PostgresPoolSettings {
    func with(_ change: (inout PostgresPoolSettings) -> Void) -> PostgresPoolSettings {
        var settings = self
        change(&settings)
        return settings
    }
}
