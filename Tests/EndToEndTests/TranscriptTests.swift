import Foundation
import Testing

/// Commands and exactly what they print, as written in `Transcripts/`.
///
/// A transcript is files (`>> name`, their lines, `<<`), commands (`$ …`), what each prints, and `[exit N]` where that is not 0.
/// `<any>` stands for what differs from run to run. With `PLUE_TRANSCRIPTS=write` the outputs are written anew, to be read
/// in the difference.
@Suite struct TranscriptTests {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Transcripts")

    static let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []).filter { $0.hasSuffix(".txt") }
        .sorted()

    @Test func `There are transcripts`() { #expect(Self.names.count >= 5) }

    @Test(arguments: names) func `Commands print exactly what their transcript says`(_ name: String) async throws {
        let file = Self.directory.appending(path: name)
        let scratch = try Scratch()
        let writes = ProcessInfo.processInfo.environment["PLUE_TRANSCRIPTS"] == "write"
        var written: [String] = []
        for step in Transcript(try String(contentsOf: file, encoding: .utf8)).steps {
            switch step {
            case .text(let line): written.append(line)
            case .file(let name, let lines):
                try scratch.write(lines.map { $0 + "\n" }.joined(), to: name)
                written += [">> \(name)"] + lines + ["<<"]
            case .command(let command, let expected, let line):
                let (output, code) = try await scratch.run(command)
                var lines = output.replacing(scratch.path, with: "<dir>").split(separator: "\n", omittingEmptySubsequences: false).map(
                    String.init)
                while lines.last == "" { lines.removeLast() }
                if code != 0 { lines.append("[exit \(code)]") }
                let isSame = lines.count == expected.count && zip(lines, expected).allSatisfy { Transcript.matches($0, $1) }
                if writes {
                    written += ["$ " + command] + (isSame ? expected : lines)
                } else if !isSame {
                    Issue.record(
                        "\(name):\(line): $ \(command)\nprinted\n\(lines.joined(separator: "\n"))\ninstead of\n\(expected.joined(separator: "\n"))"
                    )
                }
            }
        }
        if writes { try Data((written.joined(separator: "\n") + "\n").utf8).write(to: file) }
    }
}

/// A transcript in steps.
struct Transcript {
    enum Step {
        /// A comment or an empty line between steps.
        case text(String)
        case file(String, [String])
        case command(String, expected: [String], line: Int)
    }

    private(set) var steps: [Step] = []

    init(_ text: String) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)[...]
        if lines.last == "" { lines.removeLast() }
        while let line = lines.popFirst() {
            if line.hasPrefix(">> ") {
                let content = lines.prefix { $0 != "<<" }
                lines = lines.dropFirst(content.count + 1)
                steps.append(.file(String(line.dropFirst(3)), Array(content)))
            } else if line.hasPrefix("$ ") {
                let number = lines.startIndex
                let expected = lines.prefix { !$0.hasPrefix("$ ") && !$0.hasPrefix(">> ") && !$0.hasPrefix("## ") }
                lines = lines.dropFirst(expected.count)
                // Empty lines in front of the next step belong to no output.
                let output = Array(expected.reversed().drop { $0.isEmpty }.reversed())
                steps.append(.command(String(line.dropFirst(2)), expected: output, line: number))
                steps += expected.dropFirst(output.count).map(Step.text)
            } else {
                steps.append(.text(line))
            }
        }
    }

    static func matches(_ line: String, _ pattern: String) -> Bool {
        let pieces = pattern.components(separatedBy: "<any>")
        guard pieces.count > 1, let first = pieces.first, let last = pieces.last else { return line == pattern }
        guard line.hasPrefix(first), line.hasSuffix(last), line.count >= first.count + last.count else { return false }
        var rest = line.dropFirst(first.count).dropLast(last.count)
        for piece in pieces.dropFirst().dropLast() {
            guard let range = rest.range(of: piece) else { return false }
            rest = rest[range.upperBound...]
        }
        return true
    }
}
