import PluePostgres
import Testing

@Suite("A database's URL")
struct URLTests {
    @Test("all its forms are understood")
    func forms() throws {
        let plain = try PostgresURL("postgres://db.internal/app")
        #expect((plain.host, plain.port, plain.database, plain.user) == ("db.internal", 5432, "app", nil))
        #expect(plain.server == "db.internal:5432")
        #expect(try PostgresURL("postgresql://db.internal:5432/app") == plain)
        let user = try PostgresURL("postgres://a%20b@10.0.0.1:6543/my%2Fapp?sslmode=require")
        #expect((user.host, user.port, user.database, user.user) == ("10.0.0.1", 6543, "my/app", "a b"))
        #expect(user.parameters == ["sslmode": "require"])
        let six = try PostgresURL("postgres://[fe80::1]:7000/app")
        #expect((six.host, six.port, six.server) == ("fe80::1", 7000, "[fe80::1]:7000"))
        let socket = try PostgresURL("postgres:///app?host=/run/postgresql&port=5433")
        #expect((socket.host, socket.port, socket.server) == ("/run/postgresql", 5433, "/run/postgresql:5433"))
        #expect(try PostgresURL("postgres://%2Frun%2Fpostgresql:5433/app") == socket)
        let full = try PostgresURL(
            "postgres://h/d?sslmode=verify-full&sslrootcert=/ca&sslcert=/c&sslkey=/k&sslcrl=/r&ssl_min_protocol_version=TLSv1.3&channel_binding=require&application_name=x"
        )
        #expect(full.parameters.count == 8)
    }

    @Test(
        "anything else is refused in a sentence that says what to write, and quotes nothing",
        arguments: [
            ("", "begins with postgres://"), ("mysql://h/d", "begins with postgres://"), ("postgres:h/d", "begins with postgres://"),
            ("postgres://h", "names no database"), ("postgres://h/", "names no database"), ("postgres:///d", "names no host"),
            ("postgres://h/a/b", "no '/'"), ("postgres://u:secretword@h/d", "password does not belong"),
            ("postgres://u:secret/word@h/d", "number from 1 to 65535"), ("postgres://h/d?password=secretword", "password does not belong"),
            ("postgres://@h/d", "without a user"), ("postgres://h:0/d", "1 to 65535"), ("postgres://h:65536/d", "1 to 65535"),
            ("postgres://h:/d", "1 to 65535"), ("postgres://h:+5/d", "1 to 65535"), ("postgres://h:99999999999999999999/d", "1 to 65535"),
            ("postgres://::1/d", "brackets"), ("postgres://[::1/d", "not closed"), ("postgres://[h]/d", "IPv6"),
            ("postgres://[::1]5/d", "':'"),
            ("postgres://a,b/d", "one host"), ("postgres://h/d?host=x", "two hosts"), ("postgres://h:1/d?port=2", "two ports"),
            ("postgres://h/d?host=/a,/b", "two hosts"), ("postgres:///d?host=/a,/b", "one host"),
            ("postgres:///d?host=run/x", "begins with '/'"),
            ("postgres:///d?host=@x", "abstract"), ("postgres://h/d?sslmode=on", "is one of"), ("postgres://h/d?sslmode", "has no value"),
            ("postgres://h/d?sslmode=require&sslmode=require", "twice"), ("postgres://h/d?nonsense=1", "unknown parameter"),
            ("postgres://h/d?connect_timeout=5", "setting of its own"), ("postgres://h/d?options=-c%20x", "ALTER ROLE"),
            ("postgres://h/d?sslmode=verify-full", "sslrootcert"), ("postgres://h/d?sslcert=/c", "together"),
            ("postgres://h/d?sslmode=require&sslrootcert=ca.pem", "absolute"), ("postgres:///d?host=/run&sslmode=require", "no TLS"),
            ("postgres://h/d%zz", "%25"), ("postgres://h/d%00", "%25"), ("postgres://h/d#x", "'#'"), ("postgres://h/d x", "spaces"),
            ("postgres://h/d\n", "spaces"),
        ])
    func refused(_ text: String, _ words: String) {
        let problem = #expect(throws: PostgresURL.Problem.self) { try PostgresURL(text) }
        #expect(problem?.description.contains(words) == true, "\(String(describing: problem))")
        #expect(problem?.description.contains("secret") == false)
    }
}
