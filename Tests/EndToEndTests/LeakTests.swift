import Foundation
import TestGround
import Testing

/// The leak hunt: secrets that exist nowhere else, everywhere that Plue writes.
///
/// What is looked for is the text itself, a part of it, and it as base64 and hex; and the hunt has to find what is planted.
@Suite struct LeakTests {
    /// A secret of one kind, and the ways it may be written.
    private struct Canary {
        let text = "cnry" + UUID().uuidString.replacing("-", with: "").lowercased() + "x7"

        /// Forms of which none may occur. A part of 12 is long enough to be no accident.
        var forms: [Data] {
            let bytes = Data(text.utf8)
            let hex = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            let base64 = (0..<3).map {
                Data((String(repeating: " ", count: $0) + text).utf8).base64EncodedString().dropFirst(4).dropLast(4)
            }
            return [Data(text.prefix(16).utf8), Data(text.suffix(16).utf8), Data(hex.utf8)] + base64.map { Data($0.utf8) }
        }
    }

    @Test func `No secret is in any output, answer, file, argument or crash report`() async throws {
        let scratch = try Scratch()
        let (environment, file, encrypted, variableFile, literal, fallback) = (Canary(), Canary(), Canary(), Canary(), Canary(), Canary())
        let canaries = [environment, file, encrypted, variableFile, literal, fallback]
        try scratch.write(file.text + "\n", to: "outside/file")
        try scratch.write(variableFile.text + "\n", to: "outside/variable")
        try scratch.write(encrypted.text, to: "outside/encrypted")
        try scratch.write(literal.text, to: "outside/literal")
        let port = 20_000 + Int.random(in: 0..<9_000)
        try scratch.write(
            """
            {"properties":{"app":{"properties":{"pin":{"type":"integer","writeOnly":true,"default":4711},"list":{"type":"array","items":{"type":"string"},
            "writeOnly":true},"url":{"type":"string","format":"uri","writeOnly":true},"name":{"type":"string"},
            "fallback":{"type":"string","writeOnly":true,"default":"\(fallback.text)"}}}}}
            """, to: "config/schema.json")
        // Defaults that their own schema refuses, in as many ways.
        let mistakes = ["\"type\":\"integer\"", "\"type\":\"string\",\"maxLength\":3", "\"type\":\"string\",\"format\":\"ipv4\""]
        for (number, mistake) in mistakes.enumerated() {
            try scratch.write(
                "{\"properties\":{\"app\":{\"properties\":{\"x\":{\(mistake),\"writeOnly\":true,\"default\":\"\(fallback.text)\"}}}}}",
                to: "outside/schema-\(number).json")
        }
        let good = """
            [server]
            host = 127.0.0.1
            port = \(port)
            [logging]
            level = trace
            [security]
            secret_key = ${ENV_CANARY}
            jwt_secret = ${file:\(scratch.path)/outside/file}
            [app]
            name = <${config:security.jwt_secret}>
            list = a, ${ENV_CANARY}
            """
        try scratch.write(good, to: "config/development.ini")
        // The crash report is wanted: with its registers left out, which the daemon sees to itself.
        let variables = [
            "SWIFT_BACKTRACE": "", "ENV_CANARY": environment.text, "PLUE__APP__URL_FILE": scratch.path + "/outside/variable",
        ]
        try scratch.write("https://x:\(variableFile.text)@host/\n", to: "outside/variable")
        let state = "--state-dir \(scratch.path)/state --config-dir \(scratch.path)/config"
        var outputs: [(from: String, bytes: Data)] = []
        func run(_ command: String) async throws {
            outputs.append((command, Data(try await scratch.run(command, variables).output.utf8)))
        }
        try await run("plue secret keygen \(state)")
        try await run("plue secret encrypt security.database_password \(state) < outside/encrypted")
        let daemon = try await RunningDaemon(in: scratch, variables)

        // Every command, as text and as JSON.
        for command in [
            "show", "show --origins", "show security", "check", "check --format sarif", "explain security.secret_key", "explain app.list",
            "explain security.database_password", "status", "history", "plan", "plan --set security.jwt_secret=other", "diff", "diff 1 2",
            "audit log", "audit export", "audit export --as csv", "audit verify", "secret verify", "schema", "schema --as markdown",
            "schema --as ini",
            "explain app.fallback", "show app.fallback", "check config/development.ini --schema outside/schema-0.json",
            "check config/development.ini --schema outside/schema-1.json", "check config/development.ini --schema outside/schema-2.json",
            "parse config/development.ini",
            "reload", "apply --set app.name=${config:security.secret_key} --reason r", "rollback 1 --reason r", "reload --force", "confirm",
        ] {
            try await run("plue \(command) \(command.hasPrefix("parse") ? "" : state)")
            try await run("plue \(command) --format json \(command.hasPrefix("parse") ? "" : state)")
        }
        // Every call, on both doors, also for who may everything.
        try await run("plue token create leak --role admin \(state) > token")
        for path in [
            "v1/status", "v1/config", "v1/config?origins=true", "v1/config/security", "v1/config/security/secret_key", "v1/config/app/list",
            "v1/explain/security/jwt_secret", "v1/explain/app/fallback", "v1/config/app/fallback", "v1/schema",
            "v1/versions?rejected=true", "v1/versions/1", "v1/versions/1/diff/2", "v1/audit", "v1/audit?after=0&key=security.secret_key",
            "v1/audit/verify", "v1/services", "v1/documents", "metrics", "openapi.json", "healthz", "readyz", "nothing",
            "v1/config/nothing",
        ] {
            try await run("curl -sS -i 'http://127.0.0.1:\(port)/\(path)'")
            try await run("curl -sS -i --unix-socket state/plue.sock 'http://plue/\(path)'")
            try await run("curl -sS -i -H \"authorization: Bearer $(cat token)\" 'http://127.0.0.1:\(port)/\(path)'")
        }
        try await run("curl -sS -i -m 1 --unix-socket state/plue.sock http://plue/v1/events")
        for body in [
            "{\"edits\":[{\"set\":\"security.secret_key\",\"to\":\"\(literal.text)\"},{\"set\":\"server.port\",\"to\":\"x\"}]}",
            "{\"edits\":[{\"set\":\"app.pin\",\"to\":\"\(literal.text)\"}]}", "{\"edits\":[{\"sett\":\"\(literal.text)\"}]}",
            "{\"edits\": \(literal.text)", literal.text,
        ] {
            try scratch.write(body, to: "body")
            for call in ["-X PATCH http://plue/v1/config", "-X POST http://plue/v1/plan"] {
                try await run(
                    "curl -sS -i --unix-socket state/plue.sock -H 'if-match: *' -H 'content-type: application/vnd.plue.edits+json' --data-binary @body \(call)"
                )
            }
        }
        // A secret in every kind of patch: where it fits, where it does not, and beside mistakes.
        for (type, body) in [
            ("merge-patch", "{\"app\":{\"pin\":\"\(literal.text)\"}}"), ("merge-patch", "{\"app\":{\"list\":[\"\(literal.text)\",{}]}}"),
            ("merge-patch", "{\"security\":{\"jwt_secret\":{\"\(literal.text)\":1}}}"),
            ("merge-patch", "{\"app\":{\"url\":\"\(literal.text)"),
            ("json-patch", "[{\"op\":\"test\",\"path\":\"/security/secret_key\",\"value\":\"\(literal.text)\"}]"),
            ("json-patch", "[{\"op\":\"add\",\"path\":\"/app/pin\",\"value\":\"\(literal.text)\"}]"),
            ("json-patch", "[{\"op\":\"add\",\"path\":\"/security/secret_key\",\"value\":[\"\(literal.text)\"]}]"),
        ] {
            try scratch.write(body, to: "body")
            for call in ["-X PATCH http://plue/v1/config", "-X POST http://plue/v1/plan", "-X POST http://plue/v1/check"] {
                try await run(
                    "curl -sS -i --unix-socket state/plue.sock -H 'if-match: *' -H 'content-type: application/\(type)+json' --data-binary @body \(call)"
                )
            }
        }
        try await run("curl -sS -i --unix-socket state/plue.sock http://plue/metrics")
        // Candidates that are wrong in every way, a secret beside each mistake.
        for text in [
            "\n[app]\npin = ${ENV_CANARY}", "\n[app]\npin = \(literal.text)", "\n[security]\njwt_secrett = \(literal.text)",
            "\n[security]\njwt_secret = \(literal.text)", "\n[security]\njwt_secret: \(literal.text)", "\n[security]\n\(literal.text)",
            "\n[security]\njwt_secret = \"\(literal.text)", "\n[security]\njwt_secret = ${\(literal.text)}",
            "\n[app]\nfallback =", "\n[app]\nurl = \(literal.text) x", "\n[app]\nlist = \"\(literal.text), ${NOWHERE}",
            "\n[security]\nsecret_key = enc:v1:k0000000000:\(literal.text)",
            "\n[server]\nport = ${file:\(scratch.path)/outside/file}",
        ] {
            try daemon.edit(good + text)
            try await run("plue reload \(state)")
            for command in [
                "check", "check --format json", "check --format sarif", "status", "status --format json", "plan", "diff", "explain app.pin",
            ] {
                try await run("plue \(command) \(state)")
            }
        }
        try daemon.edit(good)
        try await run("plue reload \(state)")
        try await run("plue history --format json --limit 1000 \(state)")
        try await run("plue audit export \(state)")
        try await run("plue backup \(scratch.path)/backup \(state)")

        // What others of this machine see of the process.
        outputs.append(("ps", Data(try await scratch.run("ps -ww -eo args").output.utf8)))
        outputs.append(("cmdline", FileManager.default.contents(atPath: "/proc/\(daemon.process)/cmdline") ?? Data()))
        outputs.append(("environ", FileManager.default.contents(atPath: "/proc/\(daemon.process)/environ") ?? Data()))
        // A signal from outside is reported and then passed over.
        kill(daemon.process, SIGSEGV)
        try await eventually { daemon.log.contains("Backtrace took") }
        kill(daemon.process, SIGKILL)
        _ = await daemon.exit()
        outputs.append(("log and crash report", Data(daemon.log.utf8)))

        let planted =
            outputs + [("planted", Data("x\(literal.text)x".utf8)), ("planted", Data((" " + literal.text).utf8).base64EncodedData())]
        #expect(Self.leaks(in: planted, of: canaries).count >= 2, "the hunt finds nothing")
        for leak in Self.leaks(in: outputs, of: canaries) { Issue.record("a secret is in the output of: \(leak)") }
        // `parse` shows a document as it is written; so do the documents themselves, and what was written there in plain text is theirs.
        var files: [(from: String, bytes: Data)] = []
        for case let name as String in FileManager.default.enumerator(atPath: scratch.path) ?? .init() {
            guard !name.hasPrefix("outside"), name != "body", !name.hasPrefix("config/"), !name.hasPrefix("log-") else { continue }
            files.append((name, FileManager.default.contents(atPath: scratch.path + "/" + name) ?? Data()))
        }
        #expect(files.contains { $0.from == "state/plue.db" } && files.contains { $0.from == "backup" })
        for leak in Self.leaks(in: files, of: canaries) { Issue.record("a secret is in the file \(leak)") }
    }

    private static func leaks(in places: [(from: String, bytes: Data)], of canaries: [Canary]) -> [String] {
        let forms = canaries.flatMap(\.forms)
        return places.compactMap { place in
            for form in forms {
                guard let range = place.bytes.range(of: form) else { continue }
                let around = place.bytes[max(0, range.lowerBound - 80)..<min(place.bytes.count, range.upperBound + 20)]
                return "\(place.from): …\(String(decoding: around, as: UTF8.self))…"
            }
            return nil
        }
    }
}
