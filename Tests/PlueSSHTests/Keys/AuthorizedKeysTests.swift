import Foundation
import PlueConfig
import SystemPackage
import Testing

@testable import PlueSSH

@Suite("A file of authorized keys")
struct AuthorizedKeysTests {
    // Made by ssh-keygen for this test.
    private let ada = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILGNynOfbDmtfYGm0jM7Jn2LxzbUVns3PEQHIJWyhHnE"

    private func parse(_ text: String) throws(ServiceRefusal) -> AuthorizedKeys {
        try AuthorizedKeys(parsing: Array(text.utf8), name: "keys")
    }

    private func key(_ text: String) throws -> AuthorizedKey {
        let keys = try parse(text)
        return try #require(keys[String(ada.split(separator: " ")[1])])
    }

    private func problem(_ text: String) -> String {
        do {
            _ = try parse(text)
            return ""
        } catch {
            return error.description
        }
    }

    @Test("comments, blank lines, blanks and line ends of any kind are no keys")
    func blanks() throws {
        #expect(try parse("").count == 0)
        #expect(try parse("# nothing\n\n   \t\r\n").count == 0)
        let keys = try parse("\r\n# ada\r\n  \(ada)\t a  comment \r\n")
        #expect(keys.count == 1)
        #expect(try key("  \(ada)\t a  comment \r\n").comment == "a  comment")
    }

    @Test("the comment is the actor, or the fingerprint where there is none")
    func actor() throws {
        #expect(try key("\(ada) ada@laptop").actor == "ssh:ada@laptop")
        #expect(try key(ada).actor.hasPrefix("ssh:SHA256:"))
        #expect(try key(ada).actor.count == "ssh:SHA256:".count + 43)
    }

    @Test("options are read as OpenSSH writes them: in any case, with quotes in quotes, and with commas in them")
    func options() throws {
        let key = try key("Restrict,ENVIRONMENT=\"PLUE_ROLE=admin\",from=\"10.0.0.0/8, 192.168.1.?\",expiry-time=\"20300101Z\" \(ada) x")
        #expect(key.role == .admin)
        #expect(!key.mayHaveTerminal)
        #expect(key.sources.count == 2)
        #expect(key.expiry == Date(timeIntervalSince1970: 1_893_456_000))
        #expect(try self.key("restrict,pty \(ada)").mayHaveTerminal)
        #expect(try self.key("no-pty \(ada)").role == .viewer)
        #expect(try self.key("no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-user-rc \(ada)").mayHaveTerminal)
    }

    @Test(
        "what cannot be kept, or is none, is refused with its line",
        arguments: [
            ("command=\"/bin/sh\" KEY", "line 1 has option 'command', which is not supported here and so could not be kept"),
            ("cert-authority KEY", "line 1 has option 'cert-authority', which is not supported"),
            ("permitopen=\"x:1\" KEY", "line 1 has option 'permitopen', which is not supported"),
            ("verify-required KEY", "line 1 has option 'verify-required', which is not supported"),
            ("restrict=\"x\" KEY", "line 1 has option 'restrict', which is not supported"),
            ("environment=\"LD_PRELOAD=x\" KEY", "line 1 sets a variable in 'environment'; only PLUE_ROLE is known"),
            ("environment=\"PLUE_ROLE=root\" KEY", "line 1 has role 'root', but the roles are viewer, operator, admin"),
            ("environment KEY", "line 1 has option 'environment' without a value"),
            ("environment=PLUE_ROLE KEY", "line 1 has option 'environment' without quotes around its value"),
            ("from=\"host.example\" KEY", "line 1 has 'host.example' in 'from', which no address matches"),
            ("from=\"10.0.0.1/8\" KEY", "line 1 has '10.0.0.1/8' in 'from', which no address matches"),
            ("from=\"\" KEY", "line 1 has '' in 'from'"), ("from=\"10.0.0.1,\" KEY", "line 1 has '' in 'from'"),
            ("from=\"10.0.0.1 KEY", "line 1 has an option whose quote is not closed"),
            ("expiry-time=\"20301301\" KEY", "line 1 has expiry-time '20301301', but it is written YYYYMMDD"),
            ("restrict,,pty KEY", "line 1 has an option without a name"), ("restrict, KEY", "line 1 has an option without a name"),
            ("from=\"10.0.0.1\"x KEY", "line 1 has something after option 'from' that is not a comma"),
            ("ssh-dss AAAAB3NzaC1kc3MAAA x", "line 1 has a key of type ssh-dss, which is not accepted"),
            ("sk-ssh-ed25519@openssh.com AAAA x", "line 1 has a key of type sk-ssh-ed25519@openssh.com, which is not accepted"),
            ("ssh-ed25519-cert-v01@openssh.com AAAA x", "line 1 has a key of type ssh-ed25519-cert-v01@openssh.com, which is not accepted"),
            ("hello", "line 1 is not '[options] type key [comment]'"), ("restrict", "line 1 is not '[options] type key [comment]'"),
            ("ssh-ed25519", "line 1 has a key of type ssh-ed25519 that is damaged"),
            ("ssh-ed25519 AAAA", "line 1 has a key of type ssh-ed25519 that is damaged"),
            ("ssh-ed25519 !!!! x", "line 1 has a key of type ssh-ed25519 that is damaged"),
            ("KEY\nKEY", "line 2 is the same key as line 1"), ("KEY \u{1B}[2J", "line 1 has a comment that is too long or has characters"),
            ("KEY \u{202E}x", "line 1 has a comment that is too long or has characters that cannot be seen"),
            ("#\n\nKEY\nnonsense\nKEY", "keys: line 4 is not '[options] type key [comment]'; line 5 is the same key as line 3"),
        ])
    func refused(text: String, expected: String) {
        let found = problem(text.replacing("KEY", with: ada))
        #expect(found.contains(expected), "\(found)")
    }

    @Test("a key of one type under another's name is refused, as is one that was cut")
    func damaged() {
        #expect(problem(ada.replacing("ssh-ed25519", with: "ssh-rsa")).contains("damaged"))
        #expect(problem(String(ada.dropLast(4))).contains("damaged"))
        #expect(problem(ada + "AAAA").contains("damaged"))
    }

    @Test("a short rsa key is refused by its size")
    func short() async throws {
        let scratch = try Scratch()
        try await run("ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", scratch.file("short").string)
        #expect(problem(try scratch.read("short.pub")).contains("line 1 has an rsa key of 1024 bits, but 2048 are the least that is safe"))
    }

    @Test("only so many problems are told at once, and bytes that are no text are none of them")
    func many() {
        let found = problem(String(repeating: "x\n", count: 20))
        #expect(found.hasSuffix("; and 12 more"))
        #expect(throws: ServiceRefusal("keys is not UTF-8 text")) { try AuthorizedKeys(parsing: [0xFF], name: "keys") }
    }

    @Test("lines of random text are refused or read, and never more", arguments: 0..<20)
    func fuzz(seed: UInt64) {
        var random = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        func next(_ bound: Int) -> Int {
            random ^= random << 13
            random ^= random >> 7
            random ^= random << 17
            return Int(random % UInt64(bound))
        }
        let parts = [
            ada, "ssh-rsa", "ssh-ed25519 ", "AAAA", "\"", "\\", ",", "=", " ", "\t", "from", "expiry-time=\"", "20300101", "#", "\n", "\r",
            "é", "*",
        ]
        for _ in 0..<200 {
            let text = (0..<next(12)).map { _ in parts[next(parts.count)] }.joined()
            _ = try? parse(text)
        }
    }
}
