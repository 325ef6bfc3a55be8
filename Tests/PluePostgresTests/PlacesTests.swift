import PlueConfig
import PluePostgres
import Synchronization
import TestGround
import Testing

extension PostgresTests {
    @Suite("A server with few places", .timeLimit(.minutes(3)))
    struct PlacesTests {
        /// 12 places, 3 of them for superusers.
        private static let few = "max_connections = 12\nsuperuser_reserved_connections = 3\nmax_wal_senders = 0"

        @Test("while the old login and the new one overlap under load, both together fit, and nobody is turned away")
        func overlap() async throws {
            try await Cluster.run(Self.few) { cluster async throws in
                let roles = [try await cluster.newRole(), try await cluster.newRole()]
                func settings(_ index: Int) -> PostgresPoolSettings { cluster.settings(roles[index]) { $0.poolMax = 9 } }
                // The administrator's own pool takes the ninth place.
                let observer = Stage()
                try await observer.change(to: cluster.settings(.init(name: "admin", password: "")) { $0.poolMax = 1 })
                try await Stage.run(settings(0)) { stage async throws in
                    #expect(try await stage.take(8).count == 8)
                    let (queries, isOver, most) = (Counter(), Flag(), Most())
                    try await withThrowingTaskGroup { group in
                        for _ in 0..<12 {
                            group.addTask {
                                while !isOver.isSet {
                                    try await stage.pool.withConnection(waitingAtMost: .seconds(60)) { connection async throws in
                                        try await connection.query("SELECT pg_sleep(0.005)")
                                    }
                                    queries.increase()
                                }
                            }
                        }
                        group.addTask {
                            while !isOver.isSet {
                                most.note(
                                    try await observer.query(
                                        "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'role_%'"
                                    ).value.flatMap { Int($0) } ?? .max)
                            }
                        }
                        for round in 1...20 {
                            let old = try #require(try await stage.change(to: settings(round % 2)))
                            await stage.pool.retire(old)
                            let before = queries.value
                            try await eventually("the load goes on") { queries.value > before + 20 }
                        }
                        isOver.set()
                        try await group.waitForAll()
                    }
                    #expect(most.value > 4)
                    #expect(most.value <= 8)
                }
                if let live = observer.instance { await observer.pool.retire(live) }
                #expect(!cluster.log.contains("too many clients"))
                #expect(!cluster.log.contains("remaining connection slots"))
            }
        }

        @Test("a proof has an idle connection of the old login closed, when there is no other place")
        func makesWay() async throws {
            try await Cluster.run(Self.few) { cluster async throws in
                let (first, second) = (try await cluster.newRole(), try await cluster.newRole())
                try await Stage.run(cluster.settings(first) { $0.poolMax = 9 }) { stage async throws in
                    let before = try await stage.take(9)
                    try await eventually("all are back") { stage.pool.status.idle == 9 }
                    let next = try await stage.prepare(cluster.settings(second) { $0.poolMax = 9 })
                    let left = try await cluster.backends(of: first.name)
                    #expect(left.count == 8 && left.isSubset(of: before))
                    #expect(try await cluster.backends(of: second.name).count == 1)
                    await stage.pool.retire(next)
                    #expect(!cluster.log.contains("too many clients"))
                }
            }
        }

        @Test("with every connection in use, a proof takes the place of the first that comes back")
        func waitsForPlace() async throws {
            try await Cluster.run(Self.few) { cluster async throws in
                let (first, second) = (try await cluster.newRole(), try await cluster.newRole())
                try await Stage.run(cluster.settings(first) { $0.poolMax = 9 }) { stage async throws in
                    let (taken, gate) = (Counter(), Gate())
                    try await withThrowingTaskGroup { group in
                        for number in 0..<9 {
                            group.addTask {
                                try await stage.pool.withConnection(waitingAtMost: .seconds(30)) { _ async throws in
                                    taken.increase()
                                    if number > 0 { await gate.pass() } else { try await Task.sleep(for: .milliseconds(500)) }
                                }
                            }
                        }
                        try await eventually("all are in use") { taken.value == 9 }
                        let next = try await stage.prepare(cluster.settings(second) { $0.poolMax = 9 })
                        await stage.pool.retire(next)
                        // And where none comes back, it is refused in words.
                        let impatient = cluster.settings(second) { $0.connectTimeout = .milliseconds(300) }
                        try await stage.pool.withConnection { _ async throws in
                            let refusal = await #expect(throws: ServiceRefusal.self) { try await stage.prepare(impatient) }
                            #expect(refusal?.message.contains("no connection left") == true)
                        }
                        gate.open()
                        try await group.waitForAll()
                    }
                    #expect(!cluster.log.contains("too many clients"))
                }
            }
        }

        @Test("more connections than the server, the role or the database allows are refused in words")
        func tooMany() async throws {
            try await Cluster.run(Self.few) { cluster async throws in
                let role = try await cluster.newRole()
                try await Stage.run(cluster.settings(role) { $0.poolMax = 9 }) { stage async throws in
                    for most in [10, 1000] {
                        let refusal = await #expect(throws: ServiceRefusal.self) {
                            try await stage.prepare(cluster.settings(role) { $0.poolMax = most })
                        }
                        #expect(refusal?.message == "pool_max is \(most), but the server allows 9 connections")
                    }
                    let limited = try await cluster.newRole("CONNECTION LIMIT 2")
                    let refusal = await #expect(throws: ServiceRefusal.self) {
                        try await stage.prepare(cluster.settings(limited) { $0.poolMax = 3 })
                    }
                    #expect(refusal?.message == "pool_max is 3, but the role \(limited.name) allows 2 connections")
                    let small = try await cluster.newRole()
                    try await cluster.psql("CREATE DATABASE \(small.name) CONNECTION LIMIT 1")
                    let other = await #expect(throws: ServiceRefusal.self) {
                        try await stage.prepare(cluster.settings(small, database: small.name) { $0.poolMax = 2 })
                    }
                    #expect(other?.message == "pool_max is 2, but the database \(small.name) allows 1 connections")
                }
            }
        }

        @Test("a role's own limit holds for the overlap of two of its passwords")
        func roleLimit() async throws {
            let cluster = try Cluster.shared
            var role = try await cluster.newRole("CONNECTION LIMIT 3")
            try await Stage.run(cluster.settings(role) { $0.poolMax = 3 }) { stage async throws in
                for round in 1...5 {
                    #expect(try await stage.take(3).count == 3)
                    role.password = "password-\(round)"
                    try await cluster.psql("ALTER ROLE \(role.name) PASSWORD '\(role.password)'")
                    let old = try #require(try await stage.change(to: cluster.settings(role) { $0.poolMax = 3 }))
                    await stage.pool.retire(old)
                }
                #expect(!cluster.log.contains("too many connections for role \"\(role.name)\""))
            }
        }

        @Test("others who take the server's places are not fought with: the pool makes do, and grows when they leave")
        func others() async throws {
            try await Cluster.run(Self.few) { cluster async throws in
                let (role, other) = (try await cluster.newRole(), try await cluster.newRole())
                try await Stage.run(cluster.settings(other) { ($0.poolMin, $0.poolMax) = (6, 6) }) { others async throws in
                    try await eventually("they are there") { others.pool.status.open == 6 }
                    try await Stage.run(cluster.settings(role) { $0.poolMax = 9 }) { stage async throws in
                        let answers = try await withThrowingTaskGroup { group in
                            for _ in 0..<30 {
                                group.addTask {
                                    try await stage.pool.withConnection(waitingAtMost: .seconds(60)) { connection async throws in
                                        try await connection.query("SELECT pg_sleep(0.02)")
                                        return connection.backend
                                    }
                                }
                            }
                            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
                        }
                        #expect(answers.count <= 3)
                        #expect(!cluster.log.contains("too many clients"))
                        #expect(!cluster.log.contains("remaining connection slots"))
                        if let live = others.instance { await others.pool.retire(live) }
                        #expect(try await stage.take(9).count == 9)
                    }
                }
            }
        }
    }
}

private final class Most: Sendable {
    private let most = Mutex(0)
    func note(_ value: Int) { most.withLock { $0 = max($0, value) } }
    var value: Int { most.withLock { $0 } }
}
