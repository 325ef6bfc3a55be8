import Foundation
import Logging
import PlueConfig
import Synchronization
import Testing

@testable import PluePostgres

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// The tests that share a server. One after the other: a login costs both sides a few thousand rounds of SHA-256.
@Suite("PostgreSQL", .serialized, .cluster)
struct PostgresTests {}

/// A pool, driven through its phases as the committer does it.
final class Stage: Sendable {
    let pool: PostgresPool
    private let live = Mutex<PostgresPool.Instance?>(nil)

    init(_ pool: PostgresPool = PostgresPool(logger: quiet)) { self.pool = pool }

    var instance: PostgresPool.Instance? { live.withLock { $0 } }

    func prepare(_ settings: PostgresPoolSettings) async throws -> PostgresPool.Instance {
        try await pool.prepare(settings, beside: instance)
    }

    /// What was live, not yet retired.
    @discardableResult
    func activate(_ next: PostgresPool.Instance) async -> PostgresPool.Instance? {
        live.withLock { $0 = next }
        return await pool.activate(next)
    }

    /// A whole transaction but the retirement of what was live.
    @discardableResult
    func change(to settings: PostgresPoolSettings) async throws -> PostgresPool.Instance? {
        let next = try await prepare(settings)
        let old = await activate(next)
        try await pool.verify(next)
        return old
    }

    /// Starts a pool, and takes it down again however the body ends.
    static func run<Value>(
        _ settings: PostgresPoolSettings, pool: PostgresPool = PostgresPool(logger: quiet), _ body: (Stage) async throws -> Value
    ) async throws -> Value {
        let stage = Stage(pool)
        let result: Result<Value, any Error>
        do {
            try await stage.change(to: settings)
            result = .success(try await body(stage))
        } catch {
            result = .failure(error)
        }
        if let live = stage.instance { await stage.retireAtOnce(live) }
        return try result.get()
    }

    /// As at the end of a process that was told twice: nobody is waited for.
    func retireAtOnce(_ instance: PostgresPool.Instance) async {
        let retirement = Task { await pool.retire(instance) }
        retirement.cancel()
        await retirement.value
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

/// Holds whoever comes until it is opened.
final class Gate: Sendable {
    private let waiting = Mutex<[CheckedContinuation<Void, Never>]?>([])

    func open() {
        let waiting = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting ?? []
        }
        for continuation in waiting { continuation.resume() }
    }

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = waiting.withLock { waiting in
                waiting?.append(continuation)
                return waiting == nil
            }
            if isOpen { continuation.resume() }
        }
    }
}

/// Counts, from any task.
final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    @discardableResult
    func increase() -> Int { count.add(1, ordering: .relaxed).newValue }
    var value: Int { count.load(ordering: .relaxed) }
}

/// Tells several tasks that it is over.
final class Flag: Sendable {
    private let flag = Atomic<Bool>(false)
    func set() { flag.store(true, ordering: .relaxed) }
    var isSet: Bool { flag.load(ordering: .relaxed) }
}

/// Waits until something is so; after 20 seconds the test fails there.
func eventually(
    _ what: Comment, within limit: Duration = .seconds(20), at location: SourceLocation = #_sourceLocation, _ isMet: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !isMet() {
        if ContinuousClock.now > deadline {
            Issue.record(what, sourceLocation: location)
            return
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}
