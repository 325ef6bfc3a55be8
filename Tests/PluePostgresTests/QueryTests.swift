import PlueConfig
import PluePostgres
import TestGround
import Testing

extension PostgresTests {
    @Suite("A query", .timeLimit(.minutes(2)))
    struct QueryTests {
        @Test("its rows are texts and NULLs, through TCP and through the socket", arguments: Cluster.Way.allCases)
        func rows(_ way: Cluster.Way) async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole(), way)) { stage async throws in
                let result = try await stage.query(
                    "SELECT 1 AS one, NULL AS nothing, '' AS empty, true AS yes UNION ALL SELECT 2, 'x', 'y', false")
                #expect(result.columns == ["one", "nothing", "empty", "yes"])
                #expect(result.rows == [["1", nil, "", "t"], ["2", "x", "y", "f"]])
                #expect(result.affected == 2)
                #expect(result.value == "1")
                let empty = try await stage.query("SELECT 1 AS one WHERE false")
                #expect(empty.columns == ["one"])
                #expect(empty.rows.isEmpty)
                #expect(empty.value == nil)
            }
        }

        @Test("parameters arrive as they are, whatever is in them")
        func parameters() async throws {
            let cluster = try Cluster.shared
            let odd = ["", "'; DROP TABLE x; --", "\\", "a\nb\tc", "é𝔘🦀", "$1", "%s", String(repeating: "x", count: 100_000)]
            try await Stage.run(cluster.settings(try await cluster.newRole(), .socket)) { stage async throws in
                for text in odd { #expect(try await stage.query("SELECT $1::text", [text]).value == text) }
                #expect(try await stage.query("SELECT $1::text IS NULL, $2::int + $3::int", [nil, "2", "3"]).rows == [["t", "5"]])
            }
        }

        @Test("what PostgreSQL cannot take is refused before it could be cut short")
        func invalid() async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole(), .socket)) { stage async throws in
                for (sql, parameters) in [
                    ("SELECT 1\0", []), ("SELECT $1::text", ["a\0b"]), ("SELECT 1", Array(repeating: "", count: 65_536)),
                ] {
                    let error = await #expect(throws: PostgresError.self) { try await stage.query(sql, parameters) }
                    guard case .invalid = error else {
                        Issue.record("\(String(describing: error))")
                        continue
                    }
                }
                #expect(try await stage.query("SELECT 1").value == "1")
            }
        }

        @Test("changes say how many rows they were, and a constraint that does not hold says its name and nothing of the values")
        func changes() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            try await Stage.run(cluster.settings(role)) { stage async throws in
                _ = try await stage.query("CREATE TABLE \(role.name) (id int CONSTRAINT \(role.name)_key PRIMARY KEY, name text)")
                #expect(try await stage.query("INSERT INTO \(role.name) SELECT n, 'n' || n FROM generate_series(1, 7) n").affected == 7)
                #expect(try await stage.query("UPDATE \(role.name) SET name = NULL WHERE id > 5").affected == 2)
                let error = await #expect(throws: PostgresError.self) {
                    try await stage.query("INSERT INTO \(role.name) VALUES (3, $1)", ["very private"])
                }
                #expect(error?.state == .uniqueViolation)
                guard case .server(let message) = error else { return }
                #expect(message.constraint == "\(role.name)_key")
                #expect(!"\(message)".contains("very private"))
            }
        }

        @Test(
            "errors have the server's code, and their description none of its words",
            arguments: [
                ("SELECT 'hunter2'::int", "22P02"), ("SELECT * FROM no_such_table", "42P01"), ("SELEKT", "42601"), ("SELECT 1/0", "22012"),
                ("SELECT 1; SELECT 2", "42601"), ("SET ROLE admin", "42501"),
            ])
        func errors(_ sql: String, _ code: String) async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole(), .socket) { $0.poolMax = 1 }) { stage async throws in
                let backend = try await stage.backend()
                let error = await #expect(throws: PostgresError.self) { try await stage.query(sql) }
                #expect(error?.state == SQLState(rawValue: code))
                #expect(error.map { "\($0)".contains("hunter2") } == false)
                // Nothing is wrong with the connection.
                #expect(try await stage.backend() == backend)
                #expect(try await stage.query("SELECT 1").value == "1")
            }
        }

        @Test("a large row and many rows arrive whole")
        func large() async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole())) { stage async throws in
                let text = try await stage.query("SELECT repeat('0123456789', 2000000)").value
                #expect(text?.utf8.count == 20_000_000)
                let many = try await stage.query("SELECT n, n * 2 FROM generate_series(1, 100000) n")
                #expect(many.rows.count == 100_000)
                #expect(many.rows.last == ["100000", "200000"])
                // The other way too: what does not fit into the socket is sent as it empties.
                let sent = String(repeating: "é", count: 10_000_000)
                #expect(try await stage.query("SELECT octet_length($1)", [sent]).value == "20000000")
            }
        }

        @Test("rows that are more than may be are given up, and the connection goes on")
        func tooLarge() async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole()) { $0.poolMax = 1 }) { stage async throws in
                let backend = try await stage.backend()
                try await stage.pool.withConnection { connection async throws in
                    // All of them are 10 GB.
                    let error = await #expect(throws: PostgresError.self) {
                        try await connection.query("SELECT repeat('x', 10000) FROM generate_series(1, 1000000)", limit: 100_000)
                    }
                    #expect(error == .resultTooLarge(limit: 100_000))
                    #expect(try await connection.query("SELECT 1").value == "1")
                }
                #expect(try await stage.backend() == backend)
            }
        }

        @Test("COPY to the client is refused, and costs no more than the connection")
        func copy() async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole(), .socket) { $0.poolMax = 1 }) { stage async throws in
                for sql in ["COPY (SELECT 1) TO STDOUT", "COPY pg_class FROM STDIN"] {
                    await #expect(throws: PostgresError.self) { try await stage.query(sql) }
                    #expect(try await stage.query("SELECT 1").value == "1")
                }
            }
        }

        @Test("bytes that are no text are an error, not another text")
        func notText() async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            try await cluster.psql("CREATE DATABASE \(role.name) ENCODING SQL_ASCII LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
            try await Stage.run(cluster.settings(role, .socket, database: role.name)) { stage async throws in
                let error = await #expect(throws: PostgresError.self) { try await stage.query("SELECT 1, E'\\xff' AS odd") }
                // The server itself does not send what is not in the client's encoding.
                #expect(error?.state == SQLState(rawValue: "22021"))
                #expect(try await stage.query("SELECT 1").value == "1")
            }
        }

        @Test("a connection does one query at a time, and none after it was given back")
        func misuse() async throws {
            let cluster = try Cluster.shared
            try await Stage.run(cluster.settings(try await cluster.newRole(), .socket)) { stage async throws in
                let kept = try await stage.pool.withConnection { connection async throws in
                    let slow = Task { try await connection.query("SELECT pg_sleep(600)") }
                    try await eventually("the first runs") { try await cluster.isRunning("pg_sleep", on: connection.backend) }
                    await #expect(throws: PostgresError.busy) { try await connection.query("SELECT 1") }
                    slow.cancel()
                    await #expect(throws: CancellationError.self) { try await slow.value }
                    return connection
                }
                await #expect(throws: PostgresError.leaseEnded) { try await kept.query("SELECT 1") }
            }
        }
    }
}
