import Foundation
import Testing

/// The console in headless Chromium, against the real daemon. What a story does stands in `Console/console.py`.
///
/// One after the other: a browser needs both cores for itself. With `PLUE_PICTURES` set to a directory, pictures go there.
@Suite(.serialized) struct ConsoleTests {
    private static let text = """
        # The shop's own.
        [server]
        host = 127.0.0.1
        port = 0
        max_connections = 25000

        [database]
        username = shop

        """

    @Test func `A change goes from a typing error to its plan, its confirmation and its rollback, and the record verifies`() async throws {
        let daemon = try await RunningDaemon(Self.text)
        let token = try await token("ada", "admin", daemon)
        let address = try #require(try await daemon.plue("console").output.split(separator: "\n").last)
        let parts = address.split(separator: "/#code=")
        #expect(parts.count == 2)
        try await play("story", String(parts.first ?? ""), [String(parts.last ?? ""), token])
        #expect(try daemon.scratch.read("config/development.ini") == Self.text)
        #expect(!daemon.log.contains(token) && !daemon.log.contains(parts.last ?? "-"))
        #expect(try await daemon.stop() == 0)
    }

    @Test func `The same without a mouse, on a phone's width, in the dark`() async throws {
        let daemon = try await RunningDaemon(Self.text)
        let address = try #require(try await daemon.address())
        try await play("keyboard", "http://\(address)", [try await token("ada", "operator", daemon)])
        #expect(try await daemon.stop() == 0)
    }

    @Test func `A thousand settings, long values, a viewer and a broken line`() async throws {
        let scratch = try Scratch()
        let description = "One of very many, told at such a length that it does not fit on one line."
        let settings = (0..<1000).map { number in
            let value = String(repeating: "x", count: number)
            return """
                "setting_\(String("000\(number)".suffix(4)))_of_the_application":
                  {"type": "string", "description": "\(description)", "default": "\(value)"}
                """
        }
        let properties = "{\"app\": {\"type\": \"object\", \"properties\": {\(settings.joined(separator: ",\n"))}}}"
        let schema = "{\"type\": \"object\", \"properties\": \(properties)}"
        try scratch.write(schema, to: "config/schema.json")
        let secret = "[security]\njwt_secret = ${JWT}\n"
        let daemon = try await RunningDaemon(Self.text + secret, in: scratch, ["JWT": "only-for-the-page"])
        let address = try #require(try await daemon.address())
        let tokens = [try await token("ada", "operator", daemon), try await token("vic", "viewer", daemon)]
        // A long answer leaves its connection fit for the next question.
        let curl = "curl -sSf -m 30 -H 'Authorization: Bearer \(tokens[0])'"
        let asked = "\(curl) -o long http://\(address)/v1/config -o short http://\(address)/v1/status"
        #expect(try await scratch.run("\(asked) && test $(stat -c %s long) -gt 400000").code == 0)
        try await play("much", "http://\(address)", tokens)
        #expect(try await daemon.stop() == 0)
    }

    @Test func `A change that takes two, and somebody who has one section only`() async throws {
        let daemon = try await RunningDaemon(Self.text + "[security]\nrequire_approval = true\napproval_sections = server\n")
        let address = try #require(try await daemon.address())
        let tokens = [
            try await token("ada", "operator", daemon), try await token("bob", "operator", daemon),
            try await token("log --sections logging", "operator", daemon),
        ]
        try await play("together", "http://\(address)", tokens)
        #expect(try await daemon.stop() == 0)
    }

    @Test func `Its files are in the executable as they are in the sources, with a strict policy, and are not sent twice`() async throws {
        let daemon = try await RunningDaemon(Self.text)
        let address = try #require(try await daemon.address())
        let assets = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources/CPlueConsole/assets").standardized
        let types = ["html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"]
        for name in try FileManager.default.contentsOfDirectory(atPath: assets.path) {
            let url = "http://\(address)" + (name == "index.html" ? "/" : "/assets/\(name)")
            let compared = try await daemon.scratch.run("curl -sSf \(url) | cmp - \(assets.path)/\(name)")
            #expect(compared.code == 0, "\(name): \(compared.output)")
            let head = try await daemon.scratch.run("curl -sSI \(url) | tr -d '\\r'").output
            let type = types[String(name.split(separator: ".").last ?? "")] ?? "image/svg+xml"
            #expect(head.localizedCaseInsensitiveContains("content-type: \(type)\n"))
            #expect(head.contains("default-src 'none'; script-src 'self'; style-src 'self';") && head.contains("frame-ancestors 'none'"))
            #expect(head.contains("nosniff") && head.contains("no-referrer") && head.contains("no-cache"))
            let tag = try #require(head.split(separator: "\n").first { $0.lowercased().hasPrefix("etag: ") }?.dropFirst(6))
            let asked = "curl -sS -o /dev/null -w '%{http_code} %{size_download}'"
            #expect(try await daemon.scratch.run("\(asked) -H 'If-None-Match: \(tag)' \(url)").output == "304 0")
        }
        #expect(try await daemon.scratch.run("curl -sS -o /dev/null -w '%{http_code}' \(address)/assets/nothing.js").output == "401")
        #expect(try await daemon.stop() == 0)
    }

    private func token(_ name: String, _ role: String, _ daemon: RunningDaemon) async throws -> String {
        let output = try await daemon.plue("token create \(name) --role \(role) --format json").output
        let answer = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
        return try #require(answer?["token"] as? String, "\(output)")
    }

    private func play(_ story: String, _ address: String, _ secrets: [String]) async throws {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Console/console.py").path
        let scratch = try Scratch()
        var variables = ["TMPDIR": scratch.path]
        if let pictures = ProcessInfo.processInfo.environment["PLUE_PICTURES"] { variables["PLUE_PICTURES"] = pictures }
        let command = (["python3", script, story, address] + secrets).map { "'\($0)'" }.joined(separator: " ")
        let result = try await scratch.run(command, variables)
        #expect(result.code == 0, "\(result.output)")
    }
}
