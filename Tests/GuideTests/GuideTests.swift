import Foundation
import Testing

/// Every page that people read: its commands print what it says, its code is compiled, its links lead somewhere.
@Suite(.timeLimit(.minutes(5))) struct GuideTests {
    static let pages: [String] = {
        let guides = (try? FileManager.default.contentsOfDirectory(atPath: Built.repository.path + "/Documentation")) ?? []
        return ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "Examples/README.md"]
            + guides.filter { $0.hasSuffix(".md") }.sorted().map { "Documentation/" + $0 }
    }()

    /// Their commands are held against a daemon by a test of its own: EndToEndTests.DocumentationTests.
    private static let runElsewhere: Set = ["Documentation/api.md"]

    static func guide(_ name: String) throws -> Guide {
        let text = try String(contentsOf: Built.repository.appending(path: name), encoding: .utf8)
        var ports = FreePorts()
        return Guide(name, text: text) { ports.replaced(in: $0) }
    }

    @Test func `There are pages with commands and pages with code`() throws {
        let guides = try Self.pages.map(Self.guide)
        #expect(guides.count { $0.hasCommands } >= 5)
        #expect(guides.count { !$0.code.isEmpty } >= 5)
    }

    @Test(arguments: pages) func `Commands print what the page says`(_ page: String) async throws {
        let guide = try Self.guide(page)
        guard guide.hasCommands, !Self.runElsewhere.contains(page) else { return }
        let reader = try Reader()
        do {
            for step in guide.steps {
                switch step {
                case .file(let name, let text): try reader.write(text, to: name)
                case .command(let command, let expected, let line):
                    try await reader.type(command, expecting: expected, at: "\(page):\(line)")
                }
            }
        } catch {
            Issue.record(error)
        }
        await reader.leave()
    }

    @Test(arguments: pages) func `Code is compiled somewhere, as the page shows it`(_ page: String) throws {
        for block in try Self.guide(page).code {
            let pieces = Self.withoutIndentation(block.lines).split(separator: "// …").map(Array.init)
            for piece in pieces where !Self.isBlank(piece) {
                let found = Self.compiled.contains { $0.contains(Self.trimmed(piece)) }
                if !found { Issue.record("\(page):\(block.line): no compiled file has\n\(piece.joined(separator: "\n"))") }
            }
        }
    }

    @Test(arguments: pages) func `Links lead to files that are there`(_ page: String) throws {
        let directory = Built.repository.appending(path: page).deletingLastPathComponent()
        for link in try Self.guide(page).links {
            #expect(FileManager.default.fileExists(atPath: directory.appending(path: link).path), "\(page): \(link)")
        }
    }

    @Test func `Every public symbol is documented`() async throws {
        let reader = try Reader()
        do {
            try await reader.type("\"$REPOSITORY/scripts/check-docs\" 2>&1", expecting: [], at: "scripts/check-docs")
        } catch {
            Issue.record(error)
        }
        await reader.leave()
    }

    /// The lines of every example and snippet.
    private static let compiled: [[String]] = ["Examples", "Tests/GuideTests/Snippets"].flatMap { folder in
        let files =
            FileManager.default.enumerator(atPath: Built.repository.appending(path: folder).path)?.compactMap { $0 as? String } ?? []
        return files.filter { $0.hasSuffix(".swift") }.compactMap { file in
            let text = try? String(contentsOf: Built.repository.appending(path: folder).appending(path: file), encoding: .utf8)
            return text.map { withoutIndentation($0.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)) }
        }
    }

    private static func withoutIndentation(_ lines: [String]) -> [String] {
        lines.map { $0.trimmingCharacters(in: .whitespaces) }
    }

    private static func isBlank(_ lines: [String]) -> Bool { lines.allSatisfy(\.isEmpty) }

    private static func trimmed(_ lines: [String]) -> [String] {
        Array(lines.drop(while: \.isEmpty).reversed().drop(while: \.isEmpty).reversed())
    }
}
