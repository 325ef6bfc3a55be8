import Foundation
import PlueConfig
import PluePostgres
import TestGround
import Testing

extension PostgresTests {
    @Suite("TLS to the server", .timeLimit(.minutes(2)))
    struct TLSTests {
        private func settings(_ cluster: Cluster, _ role: Cluster.Role, host: String = "localhost", _ parameters: String)
            -> PostgresPoolSettings
        {
            cluster.settings(role).with { $0.url = "postgres://\(host):\(cluster.port)/postgres?\(parameters)" }
        }

        private static let question = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

        @Test(
            "the connection is protected as the URL says",
            arguments: [
                ("sslmode=disable", "f"), ("sslmode=prefer", "t"), ("sslmode=require", "t"), ("sslmode=verify-ca&sslrootcert=CA", "t"),
                ("sslmode=verify-full&sslrootcert=CA", "t"),
                ("sslmode=verify-full&sslrootcert=CA&ssl_min_protocol_version=TLSv1.3&channel_binding=require", "t"),
            ])
        func protected(_ parameters: String, _ expected: String) async throws {
            let cluster = try Cluster.shared
            let parameters = parameters.replacing("CA", with: "\(cluster.directory)/ca.pem")
            try await Stage.run(settings(cluster, try await cluster.newRole(), parameters)) { stage async throws in
                #expect(try await stage.query(Self.question).value == expected)
                // Longer than a TLS record, both ways.
                let long = String(repeating: "x", count: 3_000_000)
                #expect(try await stage.query("SELECT $1::text", [long]).value == long)
                #expect(try await stage.query("SELECT n FROM generate_series(1, 50000) n").rows.count == 50_000)
                // The request to cancel takes a way of its own.
                await #expect(throws: PostgresError.overdue(after: .milliseconds(100))) {
                    try await stage.pool.withConnection { try await $0.query("SELECT pg_sleep(600)", within: .milliseconds(100)) }
                }
            }
        }

        @Test(
            "a server that does not prove who it is is refused",
            arguments: [
                ("localhost", "sslmode=verify-ca&sslrootcert=DIR/other.pem", "certificate verify failed"),
                ("localhost", "sslmode=verify-full&sslrootcert=DIR/other.pem", "certificate verify failed"),
                ("127.0.0.1", "sslmode=verify-full&sslrootcert=DIR/ca.pem", "does not match host name"),
                ("localhost", "sslmode=verify-full&sslrootcert=DIR/missing.pem", "missing.pem cannot be read: No such file or directory"),
            ])
        func refused(_ host: String, _ parameters: String, _ words: String) async throws {
            let cluster = try Cluster.shared
            let role = try await cluster.newRole()
            let wrong = settings(cluster, role, host: host, parameters.replacing("DIR", with: cluster.directory))
            try await Stage.run(cluster.settings(role)) { stage async throws in
                let refusal = await #expect(throws: ServiceRefusal.self) { try await stage.prepare(wrong) }
                #expect(refusal?.message.contains(words) == true, "\(String(describing: refusal))")
                #expect(try await stage.query(Self.question).value == "f")
            }
        }

        @Test("a client's certificate is a login, and a key that others can read is refused")
        func clientCertificate() async throws {
            let cluster = try Cluster.shared
            try await cluster.psql("CREATE ROLE certified LOGIN")
            // libpq wants the key to be its user's own.
            let key = "\(FileManager.default.temporaryDirectory.path)/plue-key-\(UUID().uuidString)"
            let copy = try Data(contentsOf: URL(fileURLWithPath: "\(cluster.directory)/certified.key"))
            #expect(FileManager.default.createFile(atPath: key, contents: copy, attributes: [.posixPermissions: 0o600]))
            defer { try? FileManager.default.removeItem(atPath: key) }
            let parameters =
                "sslmode=verify-full&sslrootcert=\(cluster.directory)/ca.pem&sslcert=\(cluster.directory)/certified.pem&sslkey=\(key)"
            let settings = settings(cluster, .init(name: "certified", password: ""), parameters)
            try await Stage.run(settings) { stage async throws in
                #expect(try await stage.query("SELECT current_user").value == "certified")
                try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
                let refusal = await #expect(throws: ServiceRefusal.self) {
                    try await stage.prepare(settings.with { $0.url += "&application_name=other" })
                }
                #expect(refusal?.message.contains("group or world access") == true, "\(String(describing: refusal))")
            }
        }
    }
}
