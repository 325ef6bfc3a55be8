import PlueConfig
import PluePostgres
import Synchronization
import TestGround
import Testing

extension PostgresTests {
    @Suite("A lease", .timeLimit(.minutes(2)))
    struct LeaseTests {
        @Test("a hundred tasks share five connections, and each is served")
        func hundredTasks() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            try await Stage.run(cluster.settings(role) { $0.poolMax = 5 }) { stage async throws in
                let answers = try await withThrowingTaskGroup { group in
                    for number in 0..<100 {
                        group.addTask {
                            try await stage.pool.withConnection(waitingAtMost: .seconds(60)) { connection async throws in
                                let answer = try await connection.query("SELECT $1::int * 2, pg_sleep(0.005)", ["\(number)"]).value
                                #expect(answer == "\(number * 2)")
                                return connection.backend
                            }
                        }
                    }
                    return try await group.reduce(into: [Int]()) { $0.append($1) }
                }
                #expect(answers.count == 100)
                #expect(Set(answers).count <= 5)
                try await eventually("all are back") { stage.pool.status.idle == stage.pool.status.open }
                #expect(try await cluster.backends(of: role.name).isSuperset(of: answers))
            }
        }

        @Test("whoever came first is served first")
        func order() async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole(), .socket) { $0.poolMax = 1 }) { stage async throws in
                let served = Served()
                let (gate, taken) = (Gate(), Counter())
                try await withThrowingTaskGroup { group in
                    group.addTask {
                        try await stage.pool.withConnection { _ async throws in
                            taken.increase()
                            await gate.pass()
                        }
                    }
                    try await eventually("the connection is taken") { taken.value == 1 }
                    for number in 0..<10 {
                        group.addTask { try await stage.pool.withConnection(waitingAtMost: .seconds(30)) { _ in served.add(number) } }
                        try await eventually("it waits") { stage.pool.status.waiting == number + 1 }
                    }
                    gate.open()
                    try await group.waitForAll()
                }
                #expect(served.numbers == Array(0..<10))
            }
        }

        @Test("waiting ends at the deadline, with the task, and not before")
        func waiting() async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole(), .socket) { $0.poolMax = 1 }) { stage async throws in
                try await stage.pool.withConnection { connection async throws in
                    await #expect(throws: PostgresError.noConnection(within: .milliseconds(50), problem: nil)) {
                        try await stage.pool.withConnection(waitingAtMost: .milliseconds(50)) { _ in }
                    }
                    let task = Task { try await stage.pool.withConnection(waitingAtMost: .seconds(60)) { _ in } }
                    try await eventually("it waits") { stage.pool.status.waiting == 1 }
                    task.cancel()
                    await #expect(throws: CancellationError.self) { try await task.value }
                    #expect(stage.pool.status.waiting == 0)
                    #expect(stage.pool.status.leased == 1)
                }
                #expect(try await stage.query("SELECT 1").value == "1")
            }
        }

        @Test("cancelled at any moment, nothing is lost: neither a connection nor a place in the queue")
        func cancelledAtAnyMoment() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            try await Stage.run(cluster.settings(role, .socket) { $0.poolMax = 3 }) { stage async throws in
                await withDiscardingTaskGroup { group in
                    for number in 0..<300 {
                        group.addTask {
                            let task = Task {
                                try await stage.pool.withConnection(waitingAtMost: .seconds(60)) { connection async throws in
                                    try await connection.query("SELECT pg_sleep(0.002)")
                                }
                            }
                            try? await Task.sleep(for: .microseconds(number * 331 % 20_000))
                            if number % 3 > 0 { task.cancel() }
                            let result = await task.result
                            if number % 3 == 0 { #expect(throws: Never.self) { try result.get() } }
                        }
                    }
                }
                try await eventually("all are back") { stage.pool.status.idle == stage.pool.status.open && stage.pool.status.waiting == 0 }
                #expect(try await stage.take(3).count == 3)
                #expect(try await cluster.backends(of: role.name).count == 3)
            }
        }

        @Test("what the body throws comes out, and the connection goes back")
        func bodyThrows() async throws {
            struct Odd: Error {}
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole(), .socket) { $0.poolMax = 1 }) { stage async throws in
                let backend = try await stage.backend()
                await #expect(throws: Odd.self) {
                    try await stage.pool.withConnection { connection async throws in
                        try await connection.query("BEGIN")
                        throw Odd()
                    }
                }
                #expect(try await stage.backend() == backend)
            }
        }

        @Test("a connection that a task went on using after its return is not lent to anyone else")
        func keptBusy() async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole(), .socket) { $0.poolMax = 1 }) { stage async throws in
                let (backend, task) = try await stage.pool.withConnection { connection async throws in
                    let task = Task { try await connection.query("SELECT pg_sleep(600)") }
                    try await eventually("it runs") { try await cluster.isRunning("pg_sleep", on: connection.backend) }
                    return (connection.backend, task)
                }
                #expect(try await stage.backend() != backend)
                await #expect(throws: PostgresError.retired) { try await task.value }
            }
        }

        @Test("without a database there is a clear error, nothing to verify, and nothing that runs")
        func off() async throws {
            let stage = Stage()
            await #expect(throws: PostgresError.noDatabase) { try await stage.query("SELECT 1") }
            let settings = PostgresPoolSettings(url: "")
            try await stage.change(to: settings)
            #expect(stage.pool.status.state == .off)
            await #expect(throws: PostgresError.noDatabase) { try await stage.query("SELECT 1") }
            #expect("\(PostgresError.noDatabase)" == "no database is set")
            #expect(stage.pool.verification(of: settings) == "nothing: no database is set")
            await stage.pool.retire(try #require(stage.instance))
        }

        @Test("a database that is taken out of the settings is gone, and those who wait for it hear so")
        func turnedOff() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            try await Stage.run(cluster.settings(role, .socket) { $0.poolMax = 1 }) { stage async throws in
                let old = try await stage.pool.withConnection { connection async throws in
                    let waiting = Task { try await stage.query("SELECT 1") }
                    try await eventually("it waits") { stage.pool.status.waiting == 1 }
                    let old = try await stage.change(to: PostgresPoolSettings(url: ""))
                    await #expect(throws: PostgresError.noDatabase) { try await waiting.value }
                    // Who has a connection finishes with it.
                    #expect(try await connection.query("SELECT 1").value == "1")
                    return old
                }
                await stage.pool.retire(try #require(old))
                #expect(try await cluster.backends(of: role.name).isEmpty)
                #expect(stage.pool.status.state == .off)
            }
        }
    }
}

private final class Served: Sendable {
    private let list = Mutex([Int]())
    func add(_ number: Int) { list.withLock { $0.append(number) } }
    var numbers: [Int] { list.withLock { $0 } }
}
