import PlueConfig
import Testing

@testable import PluePostgres

@Suite("Why a connection could not be opened")
struct ConnectProblemTests {
    private static func login() throws -> Login {
        try #require(try Login(PostgresPoolSettings(url: "postgres://db/app", username: "ada", password: Secret("s3cret"))))
    }

    private static let start = #"connection to server at "db" (10.0.0.1), port 5432 failed: "#

    @Test("the server's code and first line are kept, in any language, and the rest is not")
    func server() throws {
        let words = Self.start + "FATAL:  28P01: password authentication failed for user \"ada\"\nDETAIL:  more\nLOCATION:  auth.c:1\n"
        let problem = ConnectProblem(words, of: try Self.login())
        #expect(problem.state == .invalidPassword)
        #expect(problem.sentence == "db:5432 does not let ada in: password authentication failed for user \"ada\" (28P01)")
        #expect(!problem.isAbsence)
        let german = ConnectProblem(Self.start + "FATAL:  57P03: das Datenbanksystem startet\n", of: try Self.login())
        #expect(german.sentence == "db:5432 refuses the connection: das Datenbanksystem startet (57P03)")
        #expect(german.isAbsence)
    }

    @Test("of two addresses, the one where the server answered counts")
    func addresses() throws {
        let words =
            #"connection to server at "db" (::1), port 5432 failed: Connection refused"# + "\n\tIs the server running?\n" + Self.start
            + "FATAL:  3D000: database \"app\" does not exist\n"
        #expect(ConnectProblem(words, of: try Self.login()).state == .undefinedDatabase)
    }

    @Test(
        "a server that was not met is absent; one that was met and will not do is not",
        arguments: [
            ("Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n", true),
            ("No such file or directory\n", true), ("No route to host\n", true),
            ("SSL error: certificate verify failed\n", false), ("server does not support SSL, but SSL was required\n", false),
            ("fe_sendauth: no password supplied\n", false),
            ("Connection refused\nconnection to server at \"db\" (10.0.0.2), port 5432 failed: SSL error: bad\n", false),
        ])
    func absence(_ words: String, _ isAbsence: Bool) throws {
        let problem = ConnectProblem(Self.start + words, of: try Self.login())
        #expect(problem.isAbsence == isAbsence)
        #expect(problem.state == nil)
        #expect(problem.sentence.hasPrefix("db:5432 cannot be used: \(words.split(separator: "\n")[0])"))
    }

    @Test("words that hold the password are left out", arguments: ["FATAL:  28P01: no s3cret here\n", "what s3cret?\n", "\n", ""])
    func password(_ words: String) throws {
        let sentence = ConnectProblem(Self.start + words, of: try Self.login()).sentence
        #expect(!sentence.contains("s3cret"))
        #expect(sentence.hasPrefix("db:5432 "))
    }

    @Test("a login is a user, an address and a password; what libpq would not see whole is refused")
    func logins() throws {
        let settings = PostgresPoolSettings(url: "postgres://db/app", username: "ada", password: Secret("p"))
        #expect(try Login(settings) == Login(settings.with { $0.url = "postgres://ada@db:5432/app" }))
        #expect(try Login(settings) != Login(settings.with { $0.password = Secret("q") }))
        #expect(try Login(settings.with { $0.password = Secret("") }) == Login(settings.with { $0.password = nil }))
        #expect(try Login(settings.with { $0.url = "" }) == nil)
        for wrong in [
            settings.with { $0.username = "" }, settings.with { $0.url = "postgres://bob@db/app" },
            settings.with { $0.username = "a\0b" }, settings.with { $0.password = Secret("a\0b") },
        ] {
            #expect(throws: ServiceRefusal.self) { try Login(wrong) }
        }
    }
}
