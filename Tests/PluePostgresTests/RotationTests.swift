import Foundation
import PlueConfig
import PluePostgres
import Synchronization
import TestGround
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

extension PostgresTests {
    @Suite("Another login", .timeLimit(.minutes(3)))
    struct RotationTests {
        @Test("forty rotations of user and password under constant load, and not one query fails")
        func underLoad() async throws {
            let cluster = try Cluster.shared
            var roles = [try await cluster.newRole(), try await cluster.newRole()]
            func settings(_ role: Cluster.Role) -> PostgresPoolSettings { cluster.settings(role) { $0.poolMax = 4 } }
            try await Stage.run(settings(roles[0])) { stage async throws in
                let (queries, failures, isOver) = (Counter(), Failures(), Flag())
                try await withThrowingTaskGroup { group in
                    for _ in 0..<8 {
                        group.addTask {
                            while !isOver.isSet {
                                do {
                                    let name = try await stage.pool.withConnection(waitingAtMost: .seconds(60)) { connection async throws in
                                        try await connection.transaction {
                                            try await connection.query("SELECT pg_sleep(0.002)")
                                            return try await connection.query("SELECT current_user").value
                                        }
                                    }
                                    #expect(name != nil)
                                    queries.increase()
                                } catch {
                                    failures.add("\(error)")
                                }
                            }
                        }
                    }
                    for round in 1...40 {
                        let index = round % 2
                        // The password that is about to be used changes first, as a vault does it.
                        roles[index].password = "pw-\(UUID().uuidString)"
                        try await cluster.psql("ALTER ROLE \(roles[index].name) PASSWORD '\(roles[index].password)'")
                        let old = try #require(try await stage.change(to: settings(roles[index])))
                        await stage.pool.retire(old)
                        #expect(try await stage.query("SELECT current_user").value == roles[index].name)
                        let before = queries.value
                        try await eventually("the load goes on") { queries.value > before + 8 }
                    }
                    isOver.set()
                    try await group.waitForAll()
                }
                #expect(failures.list.isEmpty)
                // Of the one that was replaced, nothing is left.
                #expect(try await cluster.backends(of: roles[1].name).isEmpty)
                #expect(try await cluster.backends(of: roles[0].name).count <= 4)
            }
        }

        @Test("a password of the same user that has changed on the server: those who are connected stay, then all use the new")
        func samePassword() async throws {
            let cluster = try Cluster.shared
            var role = try await cluster.newRole()
            try await Stage.run(cluster.settings(role) { $0.poolMax = 3 }) { stage async throws in
                let before = try await stage.take(3)
                role.password = "another"
                try await cluster.psql("ALTER ROLE \(role.name) PASSWORD 'another'")
                #expect(try await before.contains(stage.backend()))
                let old = try #require(try await stage.change(to: cluster.settings(role) { $0.poolMax = 3 }))
                await stage.pool.retire(old)
                #expect(try await cluster.backends(of: role.name).isDisjoint(with: before))
                #expect(try await stage.take(3).isDisjoint(with: before))
            }
        }

        @Test("what cannot be is refused in words without the password, and nothing has changed", arguments: Refused.allCases)
        func refused(_ refused: Refused) async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            let settings = cluster.settings(role) { $0.connectTimeout = .seconds(10) }
            try await Stage.run(settings) { stage async throws in
                let before = try await stage.take(3)
                try await eventually("all are back") { stage.pool.status.idle == 3 }
                let password = "not-the-password-\(UUID().uuidString)"
                let freePort = try freePort()
                let wrong = settings.with { settings in
                    settings.password = Secret(password)
                    switch refused {
                    case .password: break
                    case .user: settings.username = "no_such_user"
                    case .database: (settings.url, settings.password) = (cluster.url(database: "no_such_database"), Secret(role.password))
                    case .port: settings.url = "postgres://127.0.0.1:\(freePort)/postgres"
                    case .host: settings.url = "postgres://no-such-host.invalid/postgres"
                    case .socket: settings.url = "postgres:///postgres?host=/no/such/directory"
                    case .passwordInURL: settings.url = "postgres://user:\(password)@127.0.0.1/postgres"
                    case .noUser: settings.username = ""
                    }
                }
                let refusal = await #expect(throws: ServiceRefusal.self) { try await stage.prepare(wrong) }
                let words = try #require(refusal?.message)
                #expect(words.contains(refused.words), "\(words)")
                #expect(!words.contains(password) && !words.contains(role.password))
                #expect(!words.contains("\n"))
                #expect(try await cluster.backends(of: role.name) == before)
                #expect(stage.pool.status.state == .ready)
                #expect(try await before.contains(stage.backend()))
                try await stage.pool.verify(try #require(stage.instance))
            }
        }

        enum Refused: CaseIterable {
            case password, user, database, port, host, socket, passwordInURL, noUser

            var words: String {
                switch self {
                case .password, .user: "28P01"
                case .database: "3D000"
                case .port: "Connection refused"
                case .host: "no-such-host.invalid"
                case .socket: "/no/such/directory"
                case .passwordInURL: "a password does not belong in the URL"
                case .noUser: "no user"
                }
            }
        }

        @Test("a server that accepts and says nothing holds nobody for longer than the timeout, nor than the task")
        func deafServer() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            let deaf = try Squatter(port: try freePort())
            try await Stage.run(cluster.settings(role)) { stage async throws in
                let settings = cluster.settings(role) { $0.connectTimeout = .milliseconds(300) }
                    .with { $0.url = "postgres://127.0.0.1:\(deaf.port)/postgres" }
                let refusal = await #expect(throws: ServiceRefusal.self) { try await stage.prepare(settings) }
                #expect(refusal?.message.contains("did not complete the login within 0.3 seconds") == true)
                let task = Task { try await stage.prepare(settings.with { $0.limits.connectTimeout = .seconds(600) }) }
                try await Task.sleep(for: .milliseconds(50))
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
                #expect(try await stage.query("SELECT 1").value == "1")
            }
        }

        @Test("a login that fails is taken where the running one fails too, is marked as such, and heals")
        func nothingToLose() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            let settings = cluster.settings(role) { $0.poolMax = 2 }
            try await Stage.run(settings) { stage async throws in
                let connected = try await stage.take(2)
                // Somebody has changed the password, and the configuration guesses a third one.
                try await cluster.psql("ALTER ROLE \(role.name) PASSWORD 'the-real-one'")
                let guess = settings.with { $0.password = Secret("a-guess") }
                let old = try #require(try await stage.change(to: guess))
                guard case .degraded(let reason) = stage.pool.status.state else {
                    Issue.record("\(stage.pool.status)")
                    return
                }
                #expect(reason.contains("28P01"))
                await stage.pool.retire(old)
                #expect(try await cluster.backends(of: role.name).isDisjoint(with: connected))
                // The guess turns out right.
                try await cluster.psql("ALTER ROLE \(role.name) PASSWORD 'a-guess'")
                #expect(try await stage.pool.withConnection(waitingAtMost: .seconds(60)) { try await $0.query("SELECT 1").value } == "1")
                #expect(stage.pool.status.state == .ready)
            }
        }

        @Test("whoever has a connection finishes with it; whoever waits gets one of the new login")
        func leases() async throws {
            let cluster = try Cluster.shared
            let (first, second) = (try await cluster.newRole(), try await cluster.newRole())
            try await Stage.run(cluster.settings(first) { $0.poolMax = 1 }) { stage async throws in
                let retirement = try await stage.pool.withConnection { connection async throws in
                    let waiting = Task { try await stage.query("SELECT current_user") }
                    try await eventually("it waits") { stage.pool.status.waiting == 1 }
                    let old = try #require(try await stage.change(to: cluster.settings(second) { $0.poolMax = 1 }))
                    #expect(try await waiting.value.value == second.name)
                    let retirement = Task { await stage.pool.retire(old) }
                    #expect(try await connection.query("SELECT current_user, pg_sleep(0.3)").value == first.name)
                    return retirement
                }
                await retirement.value
                #expect(try await cluster.backends(of: first.name).isEmpty)
            }
        }

        @Test(
            "whoever does not finish within the drain timeout is cut, also when the retirement is told to hurry", arguments: [false, true])
        func cut(isCancelled: Bool) async throws {
            let cluster = try Cluster.shared
            let (first, second) = (try await cluster.newRole(), try await cluster.newRole())
            let settings = cluster.settings(first) { $0.drainTimeout = isCancelled ? .seconds(600) : .milliseconds(200) }
            try await Stage.run(settings) { stage async throws in
                let started = Counter()
                let user = Task {
                    try await stage.pool.withConnection { connection async throws in
                        started.increase()
                        try await connection.query("SELECT pg_sleep(600)", within: .seconds(900))
                    }
                }
                try await eventually("it runs") { started.value == 1 }
                let old = try #require(try await stage.change(to: cluster.settings(second)))
                let time = await ContinuousClock().measure {
                    if isCancelled { await stage.retireAtOnce(old) } else { await stage.pool.retire(old) }
                }
                #expect(time < .seconds(10))
                await #expect(throws: PostgresError.retired) { try await user.value }
                try await eventually("its connections are gone") { try await cluster.backends(of: first.name).isEmpty }
                #expect(try await stage.query("SELECT current_user").value == second.name)
            }
        }

        @Test("going back is the same way again, with the connections that were")
        func rollback() async throws {
            let cluster = try Cluster.shared
            let (first, second) = (try await cluster.newRole(), try await cluster.newRole())
            try await Stage.run(cluster.settings(first) { $0.poolMax = 3 }) { stage async throws in
                let before = try await stage.take(3)
                let next = try await stage.prepare(cluster.settings(second) { $0.poolMin = 2 })
                let old = try #require(await stage.activate(next))
                #expect(try await stage.query("SELECT current_user").value == second.name)
                _ = await stage.activate(old)
                await stage.pool.retire(next)
                #expect(try await stage.take(3) == before)
                try await eventually("nothing of the other is left") { try await cluster.backends(of: second.name).isEmpty }
            }
        }

        @Test("the connections of one login outlive the retirement of an instance that is late")
        func lateRetirement() async throws {
            let cluster = try Cluster.shared
            let (first, second) = (try await cluster.newRole(), try await cluster.newRole())
            try await Stage.run(cluster.settings(first) { $0.poolMax = 2 }) { stage async throws in
                let before = try await stage.take(2)
                let one = try #require(try await stage.change(to: cluster.settings(first) { $0.poolMax = 3 }))
                let next = try await stage.prepare(cluster.settings(second))
                let two = try #require(await stage.activate(next))
                // The transaction before the last one drains only now, and this one is reverted after that.
                await stage.pool.retire(one)
                _ = await stage.activate(two)
                await stage.pool.retire(next)
                #expect(try await stage.take(2) == before)
            }
        }
    }
}

private final class Failures: Sendable {
    private let failures = Mutex([String]())
    func add(_ failure: String) { failures.withLock { $0.append(failure) } }
    var list: [String] { failures.withLock { $0 } }
}
