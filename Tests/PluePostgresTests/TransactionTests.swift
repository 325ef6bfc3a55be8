import PluePostgres
import TestGround
import Testing

extension PostgresTests {
    @Suite("What a user leaves behind", .timeLimit(.minutes(2)))
    struct TransactionTests {
        @Test("a transaction counts whole or not at all")
        func transactions() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            let table = role.name
            struct Stop: Error {}
            try await Stage.run(cluster.settings(role, .socket) { $0.poolMax = 1 }) { stage async throws in
                _ = try await stage.query("CREATE TABLE \(table) (id int PRIMARY KEY)")
                try await stage.pool.withConnection { connection async throws in
                    try await connection.transaction {
                        try await connection.query("INSERT INTO \(table) VALUES (1)")
                        try await connection.query("INSERT INTO \(table) VALUES (2)")
                    }
                    await #expect(throws: Stop.self) {
                        try await connection.transaction {
                            try await connection.query("INSERT INTO \(table) VALUES (3)")
                            throw Stop()
                        }
                    }
                    // An error that was passed over: the server would call the rollback a success.
                    await #expect(throws: PostgresError.rolledBack) {
                        try await connection.transaction {
                            try await connection.query("INSERT INTO \(table) VALUES (4)")
                            _ = try? await connection.query("INSERT INTO \(table) VALUES (1)")
                        }
                    }
                }
                #expect(try await stage.query("SELECT string_agg(id::text, ',' ORDER BY id) FROM \(table)").value == "1,2")
            }
        }

        @Test("the next user of a connection finds nothing of the last one", arguments: [false, true])
        func reset(whileTimeoutChanges: Bool) async throws {
            let cluster = try Cluster.shared
            let (role, other) = (try await cluster.newRole(), try await cluster.newRole())
            try await cluster.psql("GRANT \(other.name) TO \(role.name)")
            let settings = cluster.settings(role, .socket) { $0.poolMax = 1 }
            try await Stage.run(settings) { stage async throws in
                if whileTimeoutChanges {
                    let old = try #require(await stage.change(to: settings.with { $0.limits.statementTimeout = .seconds(77) }))
                    await stage.pool.retire(old)
                }
                let backend = try await stage.pool.withConnection { connection async throws in
                    for sql in [
                        "CREATE TEMP TABLE mine (id int)", "SET search_path = pg_temp", "SET statement_timeout = 12345",
                        "SET ROLE \(other.name)",
                        "PREPARE mine AS SELECT 1", "LISTEN mine",
                        "SELECT pg_catalog.pg_advisory_lock(\(Int.random(in: 1...1_000_000_000)))",
                        "DECLARE mine CURSOR WITH HOLD FOR SELECT 1", "BEGIN", "SELECT txid_current()",
                    ] {
                        try await connection.query(sql)
                    }
                    return connection.backend
                }
                let found = try await stage.query(
                    """
                    SELECT pg_backend_pid(), to_regclass('pg_temp.mine'), current_setting('search_path'), current_setting('statement_timeout'),
                      current_user, (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels()),
                      (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), (SELECT count(*) FROM pg_cursors WHERE name = 'mine'),
                      txid_current_if_assigned() IS NULL
                    """)
                let timeout = whileTimeoutChanges ? "77s" : "30s"
                #expect(found.rows == [["\(backend)", nil, "\"$user\", public", timeout, role.name, "0", "0", "0", "0", "t"]])
            }
        }
    }
}
