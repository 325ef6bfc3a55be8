import Foundation
import TestGround
import Testing

/// What the pages of `Documentation/` say, held against the program.
@Suite struct DocumentationTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized

    @Test func `The examples of the API's page print exactly what it says`() async throws {
        let page = try String(contentsOf: Self.root.appending(path: "Documentation/api.md"), encoding: .utf8)
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n")
        var commands = 0
        for block in page.components(separatedBy: "```console\n").dropFirst() {
            let text = block.components(separatedBy: "```").first ?? ""
            for case .command(let command, let expected, _) in Transcript(text).steps {
                commands += 1
                let lines = try await daemon.scratch.run(command).output.split(separator: "\n").map(String.init)
                let isSame = lines.count == expected.count && zip(lines, expected).allSatisfy { Transcript.matches($0, $1) }
                #expect(isSame, "$ \(command)\nprinted\n\(lines.joined(separator: "\n"))\ninstead of\n\(expected.joined(separator: "\n"))")
            }
        }
        #expect(commands >= 15)
    }

    @Test func `Every metric of the page is there, and every one that alerts speak of`() async throws {
        let page = try String(contentsOf: Self.root.appending(path: "Documentation/metrics.md"), encoding: .utf8)
        let alerts = try String(contentsOf: Self.root.appending(path: "Examples/alerts.yml"), encoding: .utf8)
        let scratch = try Scratch()
        let make = try await scratch.run(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=x -addext subjectAltName=IP:127.0.0.1 -days 30 -keyout key.pem -out cert.pem"
        )
        try #require(make.code == 0, "\(make.output)")
        let daemon = try await RunningDaemon(
            "[server]\nhost = 127.0.0.1\nport = 0\ntls_certificate = \(scratch.path)/cert.pem\ntls_private_key = \(scratch.path)/key.pem\n",
            in: scratch)
        #expect(try await daemon.patch(#"{"server":{"debug":true}}"#).status == 200)
        try daemon.edit("[server]\nnonsense = 1\n")
        try await eventually { try await daemon.get("/metrics").body.contains("\nplue_drift 1\n") }
        let metrics = try await daemon.get("/metrics").body
        let names = { (text: String) in Set(text.matches(of: /plue_[a-z_]+[a-z]/).map { String($0.output) }) }
        for name in names(alerts) { #expect(names(page).contains(name), "\(name) is not on the page") }
        for name in names(page) { #expect(metrics.contains("# TYPE \(name) "), "\(name) is not there") }
        for line in metrics.split(separator: "\n") where line.hasPrefix("# TYPE plue_") {
            let name = String(line.split(separator: " ")[2])
            #expect(names(page).contains(name) && metrics.contains("# HELP \(name) "), "\(name)")
        }
    }
}
