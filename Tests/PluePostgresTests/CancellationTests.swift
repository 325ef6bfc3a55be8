import Foundation
import PlueConfig
import PluePostgres
import TestGround
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

extension PostgresTests {
    @Suite("A statement that is not waited for to its end", .timeLimit(.minutes(2)))
    struct CancellationTests {
        @Test("is cancelled on the server with its task, and the connection goes on", arguments: Cluster.Way.allCases)
        func cancelledTask(_ way: Cluster.Way) async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole(), way) { $0.poolMax = 1 }) { stage async throws in
                let backend = try await stage.backend()
                for _ in 0..<3 {
                    let task = Task { try await stage.query("SELECT pg_sleep(600)") }
                    try await eventually("it runs") { try await cluster.isRunning("pg_sleep", on: backend) }
                    task.cancel()
                    await #expect(throws: CancellationError.self) { try await task.value }
                    #expect(try await !cluster.isRunning("pg_sleep", on: backend))
                    #expect(try await stage.backend() == backend)
                }
            }
        }

        @Test("is cancelled at its deadline, and its user may go on with the connection")
        func deadline() async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole()) { $0.poolMax = 1 }) { stage async throws in
                try await stage.pool.withConnection { connection async throws in
                    await #expect(throws: PostgresError.overdue(after: .milliseconds(200))) {
                        try await connection.query("SELECT pg_sleep(600)", within: .milliseconds(200))
                    }
                    #expect(try await connection.query("SELECT $1", ["on"]).value == "on")
                    #expect(try await !cluster.isRunning("pg_sleep", on: connection.backend))
                }
            }
        }

        @Test("a request to cancel never meets the statement after")
        func noLateCancellation() async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole()) { $0.poolMax = 1 }) { stage async throws in
                for round in 0..<100 {
                    let task = Task { try await stage.query("SELECT pg_sleep(0.0\(round % 10))") }
                    try await Task.sleep(for: .milliseconds(round % 7))
                    task.cancel()
                    _ = await task.result
                    #expect(try await stage.query("SELECT pg_sleep(0.001), \(round)").rows == [["", "\(round)"]])
                }
            }
        }

        @Test("a connection whose server process does not answer is given up")
        func deafServer() async throws {
            let cluster = try Cluster.shared
            let settings = cluster.settings(try await cluster.newRole()) { $0.poolMax = 1 }
            try await Stage.run(settings) { stage async throws in
                let backend = try await stage.pool.withConnection { connection async throws in
                    #expect(kill(pid_t(connection.backend), SIGSTOP) == 0)
                    await #expect(throws: PostgresError.overdue(after: .milliseconds(100))) {
                        try await connection.query("SELECT 1", within: .milliseconds(100))
                    }
                    await #expect(throws: PostgresError.connectionLost) { try await connection.query("SELECT 1") }
                    return connection.backend
                }
                defer { kill(pid_t(backend), SIGCONT) }
                #expect(try await stage.backend() != backend)
                #expect(try await stage.query("SELECT 1").value == "1")
            }
        }

        @Test("the statement timeout changes live: nobody is connected anew, and it counts from the next lease on")
        func statementTimeout() async throws {
            let cluster = try Cluster.shared
            let settings = cluster.settings(try await cluster.newRole(), .socket) {
                $0.poolMax = 1
                $0.statementTimeout = .milliseconds(300)
            }
            try await Stage.run(settings) { stage async throws in
                let backend = try await stage.backend()
                let error = await #expect(throws: PostgresError.self) { try await stage.query("SELECT pg_sleep(600)") }
                #expect(error?.state == .queryCanceled)
                for (timeout, text) in [(Duration.zero, "0"), (.seconds(90), "90s"), (.milliseconds(1), "1ms"), (.seconds(30), "30s")] {
                    let old = try #require(try await stage.change(to: settings.with { $0.limits.statementTimeout = timeout }))
                    await stage.pool.retire(old)
                    for _ in 0..<2 { #expect(try await stage.query("SHOW statement_timeout").value == text) }
                }
                #expect(try await stage.query("SELECT pg_sleep(0.5)").rows.count == 1)
                #expect(try await stage.backend() == backend)
            }
        }
    }
}
