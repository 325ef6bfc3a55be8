import Foundation
import Synchronization
import TestGround
import Testing

/// `plue secret` from outside: values that stand encrypted in documents, and their keys.
@Suite struct SecretTests {
    private static let options = "--config-dir config --state-dir own -e production"

    private func installation() async throws -> Scratch {
        let scratch = try Scratch()
        try scratch.write("# shared\n[security]\njwt_secret = plain-jwt # not a comment\n", to: "config/base.ini")
        try scratch.write("[server]\nport = 0\n", to: "config/production.ini")
        try scratch.write("[security]\n# the database\ndatabase_password = \"old\" # theirs\n", to: "config/production.d/10.ini")
        try scratch.write("[server]\nport = 0\n", to: "config/staging.ini")
        #expect(try await scratch.run("plue secret keygen \(Self.options)").code == 0)
        return scratch
    }

    private func plue(_ scratch: Scratch, _ command: String, input: String = "") async throws -> (output: String, code: Int32) {
        try scratch.write(input, to: "input")
        return try await scratch.run("plue \(command) \(Self.options) < input")
    }

    @Test func `A value is encrypted where it stands, comments and neighbours stay, and it opens there`() async throws {
        let scratch = try await installation()
        for (key, text) in [("security.jwt_secret", "jwt ü \"q\"\n2"), ("security.database_password", "pw"), ("security.secret_key", "sk")]
        {
            let result = try await plue(scratch, "secret encrypt \(key)", input: text + "\n")
            #expect(result.code == 0, "\(result.output)")
            #expect(try await plue(scratch, "secret reveal \(key) --reason look").output == text + "\n")
        }
        let base = try scratch.read("config/base.ini")
        #expect(base.wholeMatch(of: /# shared\n\[security\]\njwt_secret = enc:v1:k[0-9a-f]{10}:[A-Za-z0-9_-]+\n/) != nil, "\(base)")
        let dropIn = try scratch.read("config/production.d/10.ini")
        let line = /\[security\]\n# the database\ndatabase_password = "enc:v1:k[0-9a-f]{10}:[A-Za-z0-9_-]+" # theirs\n/
        #expect(dropIn.wholeMatch(of: line) != nil, "\(dropIn)")
        // The same text again leaves the value as it is.
        #expect(try await plue(scratch, "secret encrypt security.database_password", input: "pw").output.contains("nothing changed"))
        #expect(try scratch.read("config/production.d/10.ini") == dropIn)
        #expect(try await plue(scratch, "check").output == "config (production): valid\n")
        #expect(try await plue(scratch, "audit log").output.contains("reveal"))
        #expect(try await plue(scratch, "audit verify").output.hasPrefix("intact: "))
    }

    @Test func `Wrong uses end with a reason and a code`() async throws {
        let scratch = try await installation()
        for (command, input, code, words) in [
            ("secret encrypt security.jwt_secrett", "x", 1, "did you mean 'security.jwt_secret'?"),
            ("secret encrypt security.jwt_secret", "", 64, "no text to encrypt"),
            ("secret encrypt security.jwt_secret", String(repeating: "x", count: 70_000), 64, "longer than 64 KiB"),
            ("secret encrypt security.jwt_secret --document ../x.ini", "x", 65, "not a document's name"),
            ("secret encrypt security.jwt_secret --document staging.ini", "x", 65, "no part of production"),
            ("secret keygen", "", 75, "there is a keyring"), ("secret retire k0000000000", "", 1, "k0000000000"),
            ("secret retire nonsense", "", 64, "not a key's name"), ("secret reveal security.nothing", "", 1, "there is no setting"),
            ("secret edit nonsense.txt", "", 65, "not a document's name"),
        ] as [(String, String, Int32, String)] {
            let result = try await plue(scratch, command, input: input)
            #expect(result.code == code && result.output.contains(words), "\(command): \(result.code) \(result.output)")
        }
        _ = try await scratch.run("chmod 640 own/keyring")
        let open = try await plue(scratch, "check")
        #expect(open.code == 65 && open.output.contains("chmod 0600"), "\(open.output)")
        _ = try await scratch.run("chmod 600 own/keyring && chmod 777 own")
        #expect(try await plue(scratch, "check").output.contains("chmod go-w"))
        _ = try await scratch.run("chmod 755 own")
        let readable = try await plue(scratch, "check")
        #expect(readable.code == 0 && readable.output.contains("warning[state-directory]") && readable.output.contains("chmod 700"))
        _ = try await scratch.run("chmod 700 own && chmod o+w config/production.ini")
        let writable = try await plue(scratch, "check")
        #expect(writable.code == 65 && writable.output.contains("writable-by-others") && writable.output.contains("chmod o-w"))
    }

    @Test func `A value that was copied, cut, altered or encrypted with a key that is gone says which, and shows nothing`() async throws {
        let scratch = try await installation()
        #expect(try await plue(scratch, "secret encrypt security.jwt_secret", input: "hunter2-hunter2").code == 0)
        let base = try scratch.read("config/base.ini")
        let token = try #require(base.firstMatch(of: /enc:v1:\S+/)).output
        let last = token.dropLast(30)
        for (document, text, words) in [
            ("production.ini", "[server]\nport = 0\n[security]\njwt_secret = \(token)\n", "for another place"),
            ("production.ini", "[server]\nport = 0\n[security]\nsecret_key = \(token)\n", "for another place"),
            ("base.ini", base.replacing(token, with: token.dropLast(10)), "is not an encrypted value"),
            (
                "base.ini",
                base.replacing(
                    token, with: last + (token.dropFirst(last.count).first == "A" ? "B" : "A") + token.dropFirst(last.count + 1)), "altered"
            ),
            ("base.ini", base.replacing(/enc:v1:k[0-9a-f]+/, with: "enc:v1:k0123456789"), "not in the keyring"),
            ("base.ini", base.replacing("enc:v1", with: "enc:v2"), "is not an encrypted value"),
        ] {
            let before = try scratch.read("config/" + document)
            try scratch.write(text, to: "config/" + document)
            let check = try await plue(scratch, "check")
            #expect(check.code == 65 && check.output.contains("secret.undecryptable") && check.output.contains(words), "\(check.output)")
            #expect(check.output.contains("config/\(document):") && !check.output.contains("hunter2") && !check.output.contains(token))
            try scratch.write(before, to: "config/" + document)
        }
        // Rotated and let go of.
        #expect(try await plue(scratch, "secret rotate").code == 0)
        let old = try #require(String(token).firstMatch(of: /k[0-9a-f]{10}/)).output
        let refused = try await plue(scratch, "secret retire \(old)")
        #expect(refused.code == 1 && refused.output.contains("kept version"))
        #expect(try await plue(scratch, "secret retire \(old) --despite-history").code == 0)
        try scratch.write(base, to: "config/base.ini")
        #expect(try await plue(scratch, "check").output.contains("was retired"))
    }

    @Test func `An editor sees the texts, and only what changed is encrypted again`() async throws {
        let scratch = try await installation()
        #expect(try await plue(scratch, "secret encrypt security.database_password", input: "keep me").code == 0)
        let before = try scratch.read("config/production.d/10.ini")
        try scratch.write(
            """
            #!/bin/sh
            ls -ld "$(dirname "$1")" "$1" > \(scratch.path)/seen; cat "$1" >> \(scratch.path)/seen; dirname "$1" > \(scratch.path)/place
            printf 'secret_key = enc:edit:"a new \\\\"one\\\\""\\n' >> "$1"; touch "$1~"
            """, to: "editor")
        _ = try await scratch.run("chmod +x editor")
        let edit = try await scratch.run("EDITOR=\(scratch.path)/editor plue secret edit production.d/10.ini \(Self.options)")
        #expect(edit.code == 0, "\(edit.output)")
        let seen = try scratch.read("seen")
        #expect(seen.contains("\"enc:edit:\\\"keep me\\\"\" # theirs") && seen.contains("drwx------") && seen.contains("-rw-------"))
        let after = try scratch.read("config/production.d/10.ini")
        #expect(after.hasPrefix(before))
        #expect(try await plue(scratch, "secret reveal security.secret_key").output == "a new \"one\"\n")
        let place = try scratch.read("place").trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(!FileManager.default.fileExists(atPath: place))
        let failing = try await scratch.run("EDITOR=false plue secret edit production.d/10.ini \(Self.options)")
        #expect(failing.code == 1 && failing.output.contains("nothing was changed"))
    }

    @Test func `Hundreds of values get another key while they are read, applied and reloaded, also when the rotation is killed`()
        async throws
    {
        let scratch = try Scratch()
        let names = (0..<120).map { "k\($0)" }
        let properties = names.map { "\"\($0)\":{\"type\":\"string\",\"writeOnly\":true}" }.joined(separator: ",")
        try scratch.write("[server]\nport = 0\n", to: "config/production.ini")
        try scratch.write(
            "{\"properties\":{\"one\":{\"properties\":{\(properties)}},\"two\":{\"properties\":{\(properties)}}}}", to: "config/schema.json"
        )
        let lines = names.map { "\($0) = enc:edit:\"value \($0)\"" }.joined(separator: "\n")
        for (document, section) in [("base.ini", "one"), ("production.d/1.ini", "two")] {
            try scratch.write("#!/bin/sh\nprintf '[\(section)]\\n\(lines.replacing("\n", with: "\\n"))\\n' >> \"$1\"\n", to: "editor")
            if document == "base.ini" { #expect(try await scratch.run("plue secret keygen \(Self.options)").code == 0) }
            let edit = try await scratch.run("chmod +x editor; EDITOR=\(scratch.path)/editor plue secret edit \(document) \(Self.options)")
            #expect(edit.code == 0, "\(edit.output)")
        }
        // Another environment's, which nothing here runs.
        try scratch.write("#!/bin/sh\nprintf '[one]\\nk1 = enc:edit:\"staging\"\\n' >> \"$1\"\n", to: "editor")
        let staging = try await scratch.run(
            "chmod +x editor; EDITOR=\(scratch.path)/editor plue secret edit staging.ini --config-dir config --state-dir own -e staging")
        #expect(staging.code == 0 || staging.output.contains("server.port is required"), "\(staging.output)")

        let daemon = try await RunningDaemon(in: scratch, arguments: ["-e", "production"], state: "own")
        let isOver = Flag()
        async let readers: Int = {
            var reads = 0
            while !isOver.isSet {
                let show = try await scratch.run("plue secret reveal two.k7 --state-dir own --config-dir config")
                #expect(show.output == "value k7\n", "\(show.output)")
                let apply = try await scratch.run(
                    "plue apply --set server.max_connections=\(100 + reads) --reason r --state-dir own --config-dir config")
                #expect(apply.code == 0, "\(apply.output)")
                let reload = try await scratch.run("plue reload --state-dir own --config-dir config")
                #expect(reload.code == 0, "\(reload.output)")
                reads += 1
            }
            return reads
        }()
        for milliseconds in [60, 150, 250, 400] {
            _ = try await scratch.run(
                "plue secret rotate \(Self.options) & sleep 0.\(milliseconds < 100 ? "0" : "")\(milliseconds); kill -9 $! 2>/dev/null; wait"
            )
        }
        let last = try await scratch.run("plue secret rotate \(Self.options) --format json")
        #expect(last.code == 0, "\(last.output)")
        isOver.set()
        #expect(try await readers > 0)
        let verify = try await scratch.run("plue secret verify \(Self.options) --format json")
        #expect(verify.code == 0, "\(verify.output)")
        let report = try JSONSerialization.jsonObject(with: Data(verify.output.utf8)) as? [String: Any]
        let keys = report?["keys"] as? [[String: Any]] ?? []
        let active = keys.first { $0["state"] as? String == "active" }
        #expect(active?["values"] as? Int ?? 0 >= 240)
        #expect(keys.filter { $0["state"] as? String != "active" }.allSatisfy { $0["values"] as? Int == 0 })
        #expect(try await daemon.status()["drift"] as? Bool == false)
        #expect(try await daemon.stop() == 0)
    }
}
