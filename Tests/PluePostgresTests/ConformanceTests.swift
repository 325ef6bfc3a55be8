import PlueConfig
import PluePostgres
import PlueTesting
import TestGround
import Testing

extension PostgresTests {
    @Suite("The pool keeps the promises of a live service", .timeLimit(.minutes(2)))
    struct ConformanceTests {
        typealias Conformance = LiveServiceConformance<PostgresPoolSettings>

        @Test("a login that changes, and one that is refused", arguments: Conformance.Check.allCases)
        func logins(_ check: Conformance.Check) async throws {
            let cluster = try Cluster.shared
            let (first, second) = (try await cluster.newRole(), try await cluster.newRole())
            let wrong = Cluster.Role(name: first.name, password: "wrong")
            let pool = PostgresPool(logger: quiet)
            let subject = Conformance(cluster.settings(first), cluster.settings(second, .socket), impossible: cluster.settings(wrong)) {
                settings in
                await isServed(by: pool, as: settings)
            }
            try await subject.run(check, on: pool)
            // From outside: not even a connection is left.
            for role in [first, second] { try await eventually("all are closed") { try await cluster.backends(of: role.name).isEmpty } }
        }

        @Test("a size that changes behind one login", arguments: Conformance.Check.allCases)
        func sizes(_ check: Conformance.Check) async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            let pool = PostgresPool(logger: quiet)
            let subject = Conformance(
                cluster.settings(role), cluster.settings(role) { $0.poolMax = 3 }, impossible: cluster.settings(role) { $0.poolMax = 5_000 }
            ) { settings in
                await isServed(by: pool, as: settings)
            }
            try await subject.run(check, on: pool)
            try await eventually("all are closed") { try await cluster.backends(of: role.name).isEmpty }
        }
    }
}

private func isServed(by pool: PostgresPool, as settings: PostgresPoolSettings) async -> Bool {
    let user = try? await pool.withConnection { try await $0.query("SELECT session_user").value }
    return user == settings.username
}
