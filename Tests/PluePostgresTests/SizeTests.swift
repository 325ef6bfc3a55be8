import PlueConfig
import PluePostgres
import TestGround
import Testing

extension PostgresTests {
    @Suite("A pool's size", .timeLimit(.minutes(2)))
    struct SizeTests {
        @Test("it grows when it is needed, and shrinks by what is idle; nobody is connected anew")
        func size() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            func settings(_ most: Int) -> PostgresPoolSettings { cluster.settings(role) { $0.poolMax = most } }
            try await Stage.run(settings(2)) { stage async throws in
                let first = try await stage.take(2)
                await stage.pool.retire(try #require(try await stage.change(to: settings(6))))
                // A place more is no connection yet.
                #expect(try await cluster.backends(of: role.name) == first)
                let second = try await stage.take(6)
                #expect(second.count == 6)
                #expect(second.isSuperset(of: first))
                try await eventually("all are back") { stage.pool.status.idle == 6 }
                await stage.pool.retire(try #require(try await stage.change(to: settings(3))))
                try await eventually("three go") { try await cluster.backends(of: role.name).count == 3 }
                let third = try await stage.take(3)
                #expect(third.isSubset(of: second))
                #expect(try await cluster.backends(of: role.name) == third)
            }
        }

        @Test("what is in use beyond the new size goes when it comes back")
        func excess() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            func settings(_ most: Int) -> PostgresPoolSettings { cluster.settings(role, .socket) { $0.poolMax = most } }
            try await Stage.run(settings(3)) { stage async throws in
                try await stage.pool.withConnection { first async throws in
                    try await stage.pool.withConnection { second async throws in
                        try await stage.pool.withConnection { third async throws in
                            await stage.pool.retire(try #require(try await stage.change(to: settings(1))))
                            for connection in [first, second, third] { #expect(try await connection.query("SELECT 1").value == "1") }
                            #expect(stage.pool.status.leased == 3)
                        }
                        try await eventually("the third goes") { try await cluster.backends(of: role.name).count == 2 }
                    }
                    try await eventually("the second goes") { try await cluster.backends(of: role.name) == [first.backend] }
                }
                #expect(try await stage.query("SELECT 1").value == "1")
            }
        }

        @Test("the minimum is opened at once, also when it is raised")
        func minimum() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            func settings(_ least: Int) -> PostgresPoolSettings { cluster.settings(role) { $0.poolMin = least } }
            try await Stage.run(settings(3)) { stage async throws in
                try await eventually("three are open") { stage.pool.status.idle == 3 }
                let before = try await cluster.backends(of: role.name)
                await stage.pool.retire(try #require(try await stage.change(to: settings(5))))
                try await eventually("five are open") { stage.pool.status.idle == 5 }
                #expect(try await cluster.backends(of: role.name).isSuperset(of: before))
            }
        }

        @Test("sizes that contradict themselves are refused in words")
        func contradictions() async throws {
            let stage = Stage()
            for (least, most) in [(2, 1), (-1, 1), (0, 0)] {
                var settings = PostgresPoolSettings(url: "postgres://u@h/d")
                (settings.limits.poolMin, settings.limits.poolMax) = (least, most)
                let refusal = await #expect(throws: ServiceRefusal.self) { try await stage.prepare(settings) }
                #expect(refusal?.message.contains("pool_m") == true)
            }
        }

        @Test("what a change means: a login is a swap, anything else is live")
        func actions() {
            let settings = PostgresPoolSettings(url: "postgres://h/d", username: "u", password: Secret("p"))
            #expect(settings.action(to: settings) == .none)
            #expect(settings.action(to: settings.with { $0.limits.poolMax = 99 }) == .live)
            #expect(settings.action(to: settings.with { $0.limits.statementTimeout = .zero }) == .live)
            // Another spelling of the same.
            #expect(settings.action(to: settings.with { $0.url = "postgresql://h:5432/d" }) == .live)
            #expect(settings.action(to: settings.with { $0.password = Secret("q") }) == .swap)
            #expect(settings.action(to: settings.with { $0.username = "v" }) == .swap)
            #expect(settings.action(to: settings.with { $0.url = "postgres://h/e" }) == .swap)
            #expect(settings.action(to: settings.with { $0.url = "" }) == .swap)
        }
    }
}
