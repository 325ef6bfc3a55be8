import Foundation
import PlueConfig
import TestGround
import Testing

@testable import PluePostgres

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

extension PostgresTests {
    @Suite("What breaks", .timeLimit(.minutes(2)))
    struct HealingTests {
        @Test("idle connections that the server ended are not lent", arguments: Cluster.Way.allCases)
        func idleEnded(_ way: Cluster.Way) async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            try await Stage.run(cluster.settings(role, way) { $0.poolMax = 3 }) { stage async throws in
                let before = try await stage.take(3)
                try await eventually("all are back") { stage.pool.status.idle == 3 }
                try await cluster.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(role.name)'")
                try await eventually("they are gone") { try await cluster.backends(of: role.name).isDisjoint(with: before) }
                // Not one query fails.
                for _ in 0..<10 { #expect(try await stage.query("SELECT 1").value == "1") }
                #expect(try await stage.take(3).isDisjoint(with: before))
            }
        }

        @Test("a connection that ends while it is used fails that one statement, says why, and is replaced")
        func usedEnded() async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole()) { $0.poolMax = 1 }) { stage async throws in
                try await stage.pool.withConnection { connection async throws in
                    let running = Task { try await connection.query("SELECT pg_sleep(600)") }
                    try await eventually("it runs") { try await cluster.isRunning("pg_sleep", on: connection.backend) }
                    try await cluster.psql("SELECT pg_terminate_backend(\(connection.backend))")
                    let error = await #expect(throws: PostgresError.self) { try await running.value }
                    #expect(error?.state == .adminShutdown)
                    await #expect(throws: PostgresError.connectionLost) { try await connection.query("SELECT 1") }
                }
                #expect(try await stage.query("SELECT 1").value == "1")
            }
        }

        @Test("a server that restarts is waited for by whoever comes meanwhile")
        func restart() async throws {
            try await Cluster.run { cluster async throws in
                let role = try await cluster.newRole()
                try await Stage.run(cluster.settings(role) { $0.poolMax = 3 }) { stage async throws in
                    try await stage.take(3)
                    try await cluster.control("stop")
                    let waiting = Task {
                        try await stage.pool.withConnection(waitingAtMost: .seconds(60)) { try await $0.query("SELECT 1").value }
                    }
                    try await eventually("the pool says so") {
                        if case .degraded = stage.pool.status.state { true } else { false }
                    }
                    // One more, with less patience, hears why.
                    let error = await #expect(throws: PostgresError.self) {
                        try await stage.pool.withConnection(waitingAtMost: .milliseconds(20)) { _ in }
                    }
                    #expect(error.map { "\($0)" }?.contains("Connection refused") == true)
                    try await cluster.control("start")
                    #expect(try await waiting.value == "1")
                    #expect(stage.pool.status.state == .ready)
                    #expect(try await stage.take(3).count == 3)
                }
            }
        }

        @Test("at a first start a server that is not there yet is waited for; one that refuses the login is not")
        func lateServer() async throws {
            try await Cluster.run { cluster async throws in
                let role = try await cluster.newRole()
                let settings = cluster.settings(role)
                let refusal = await #expect(throws: ServiceRefusal.self) {
                    try await Stage.run(settings.with { $0.username = "nobody_here" }) { _ in }
                }
                #expect(refusal?.message.contains("28P01") == true)
                try await cluster.control("stop")
                try await Stage.run(settings) { stage async throws in
                    guard case .degraded = stage.pool.status.state else {
                        Issue.record("\(stage.pool.status)")
                        return
                    }
                    try await cluster.control("start")
                    #expect(
                        try await stage.pool.withConnection(waitingAtMost: .seconds(60)) { try await $0.query("SELECT 1").value } == "1")
                    #expect(stage.pool.status.state == .ready)
                }
            }
        }

        @Test("silent connections are asked whether they are there; those that do not answer are replaced")
        func silent() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            var timing = PoolState.Timing()
            timing.checkAfter = .milliseconds(50)
            let pool = PostgresPool(logger: quiet, timing: timing, tick: .milliseconds(20))
            try await Stage.run(cluster.settings(role) { $0.poolMin = 2 }, pool: pool) { stage async throws in
                try await eventually("two are open") { stage.pool.status.idle == 2 }
                let before = try await cluster.backends(of: role.name)
                for backend in before { kill(pid_t(backend), SIGSTOP) }
                defer { for backend in before { kill(pid_t(backend), SIGCONT) } }
                try await eventually("two others are open") {
                    try await cluster.backends(of: role.name).subtracting(before).count == 2 && stage.pool.status.idle == 2
                }
                #expect(try await !before.contains(stage.backend()))
            }
        }

        @Test("connections that nobody needs go, down to the minimum")
        func unused() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            var timing = PoolState.Timing()
            timing.expireAfter = .milliseconds(100)
            let pool = PostgresPool(logger: quiet, timing: timing, tick: .milliseconds(20))
            let settings = cluster.settings(role) {
                $0.poolMin = 2
                $0.poolMax = 6
            }
            try await Stage.run(settings, pool: pool) { stage async throws in
                let used = try await stage.take(6)
                #expect(used.count == 6)
                try await eventually("two are left") { stage.pool.status.open == 2 }
                let left = try await cluster.backends(of: role.name)
                #expect(left.count == 2)
                #expect(left.isSubset(of: used))
            }
        }
    }
}
