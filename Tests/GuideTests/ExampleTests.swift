import Foundation
import Testing

/// Each example runs with one command, and ends by itself.
@Suite(.timeLimit(.minutes(5))) struct ExampleTests {
    static let examples: [String] = {
        let folder = Built.repository.appending(path: "Examples").path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { FileManager.default.isExecutableFile(atPath: "\(folder)/\($0)/run") }.sorted()
    }()

    @Test func `There are examples`() { #expect(Self.examples.count >= 4) }

    @Test(arguments: examples) func `An example runs to its end`(_ name: String) async throws {
        let reader = try Reader()
        var ports: [String] = []
        for _ in 0..<4 { ports.append(FreePorts.free(except: Set(ports))) }
        let variables = [
            "BIN=\(Built.products.path)", "PORT=\(ports[0])", "NEW_PORT=\(ports[1])", "WEB_PORT=\(ports[0])", "NEW_WEB_PORT=\(ports[1])",
            "LOGIN_PORT=\(ports[2])", "PLUE_PORT=\(ports[3])",
        ].joined(separator: " ")
        do {
            let run = "\(variables) \"$REPOSITORY/Examples/\(name)/run\" > \"$HOME/output\" 2>&1 || cat \"$HOME/output\""
            try await reader.type(run, expecting: [], at: "Examples/\(name)")
        } catch {
            Issue.record(error)
        }
        await reader.leave()
    }
}
