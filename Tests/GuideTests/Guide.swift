import Foundation
import Testing

/// A page of Markdown as its reader goes through it.
///
/// - A `console` block holds commands, `$ …`, and what each prints. `…` stands for anything in a line, a line `…` for any lines.
///   A command that ends in `&` runs beside the rest; what is written below it, it has to have printed before the page goes on.
/// - `<!-- file NAME -->` before a block puts the block's text into that file.
/// - `<!-- $ command -->` is a command that readers do not see.
/// - A `swift` block is code that is compiled elsewhere; a line `// …` stands for what the page leaves out.
/// - Blocks of any other kind are only shown.
struct Guide: Sendable, CustomTestStringConvertible {
    enum Step: Sendable {
        case file(String, text: String)
        case command(String, expected: [String], line: Int)
    }

    /// Inside the repository.
    let name: String
    private(set) var steps: [Step] = []
    /// The `swift` blocks, each with its first line's number.
    private(set) var code: [(lines: [String], line: Int)] = []
    /// Where the page's links lead, as far as that is inside the repository.
    let links: [String]

    var testDescription: String { name }
    var hasCommands: Bool { steps.contains { if case .command = $0 { true } else { false } } }

    /// - Parameter ports: What stands for each of the ports 8000 to 8099 of the page.
    init(_ name: String, text: String, ports: (String) -> String = { $0 }) {
        self.name = name
        links = text.matches(of: /\]\((?!https?:|mailto:|doc:|#)([^)#\s]+)/).map { String($0.1) }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var file: String?
        var index = 0
        while index < lines.count {
            let line = lines[index]
            index += 1
            if let match = line.wholeMatch(of: /<!-- file (\S+) -->/) { file = String(match.1) }
            if let match = line.wholeMatch(of: /<!-- \$ (.+) -->/) {
                steps.append(.command(ports(String(match.1)), expected: [], line: index))
            }
            let fence = line.drop { $0 == " " }
            guard fence.hasPrefix("```") else { continue }
            let block = Array(lines[index...].prefix { $0.drop { $0 == " " } != "```" })
            defer { index += block.count + 1 }
            if let name = file {
                steps.append(.file(name, text: ports(block.map { $0 + "\n" }.joined())))
                file = nil
            } else if fence == "```console" {
                steps += Self.commands(block.map(ports), from: index + 1)
            } else if fence == "```swift" {
                code.append((block, index + 1))
            }
        }
    }

    private static func commands(_ block: [String], from first: Int) -> [Step] {
        var steps: [Step] = []
        var (rest, number) = (block[...], first)
        while let line = rest.popFirst() {
            var command = line.hasPrefix("$ ") ? String(line.dropFirst(2)) : "false # '\(line)' belongs to no command"
            let start = number
            number += 1
            while command.hasSuffix("\\"), let more = rest.popFirst() {
                command += "\n" + more
                number += 1
            }
            let expected = rest.prefix { !$0.hasPrefix("$ ") }
            rest = rest.dropFirst(expected.count)
            number += expected.count
            steps.append(.command(command, expected: Array(expected.reversed().drop { $0.isEmpty }.reversed()), line: start))
        }
        return steps
    }

    /// Whether these lines are what the page says they are.
    static func matches(_ lines: ArraySlice<String>, _ expected: ArraySlice<String>) -> Bool {
        guard let pattern = expected.first else { return lines.isEmpty }
        if pattern == "…" { return (lines.startIndex...lines.endIndex).contains { matches(lines[$0...], expected.dropFirst()) } }
        guard let line = lines.first, matches(line, pattern) else { return false }
        return matches(lines.dropFirst(), expected.dropFirst())
    }

    private static func matches(_ line: String, _ pattern: String) -> Bool {
        let pieces = pattern.components(separatedBy: "…")
        guard pieces.count > 1, let first = pieces.first, let last = pieces.last else { return line == pattern }
        guard line.hasPrefix(first), line.hasSuffix(last), line.count >= first.count + last.count else { return false }
        var rest = line.dropFirst(first.count).dropLast(last.count)
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            guard let range = rest.range(of: piece) else { return false }
            rest = rest[range.upperBound...]
        }
        return true
    }
}
