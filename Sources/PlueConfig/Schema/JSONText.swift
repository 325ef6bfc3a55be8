import OrderedCollections

/// A JSON document with the place of everything in it, so that what is wrong in it can be pointed at.
///
/// Strict RFC 8259, and stricter: a member that appears twice is an error, so is a whole number that 64 bits do not hold or a
/// number beyond what a double does. Depth and size are limited, so that no document can exhaust the stack or the memory.
struct JSONText {
    /// A part of the document: its content and its bytes.
    struct Node: Sendable {
        enum Content: Sendable {
            case null
            case boolean(Bool)
            case integer(Int)
            case number(Double)
            case string(String)
            case array([Node])
            case object(OrderedDictionary<String, Member>)
        }

        var content: Content
        var range: Range<Int>
    }

    /// A member of an object, with the place of its name.
    struct Member: Sendable {
        var nameRange: Range<Int>
        var value: Node
    }

    /// Deeper nesting than any document for people has.
    static let deepest = 64
    /// 16 MiB, as for INI documents.
    static let largest = 16 * 1024 * 1024

    /// The document as it was named to the user.
    let name: String
    private let bytes: [UInt8]
    private let lineStarts: [Int]
    /// What is not shown in the text of a line.
    private var covered: [Range<Int>] = []

    init(_ bytes: [UInt8], name: String) {
        self.name = name
        self.bytes = bytes
        lineStarts = [0] + bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
    }

    /// The document's content.
    func parse() throws(Problem) -> Node {
        guard bytes.count <= Self.largest else {
            throw Problem(code: "json-too-large", message: "the document is larger than 16 MiB", range: 0..<0)
        }
        var parser = JSONParser(bytes)
        return try parser.document()
    }

    /// Why a text is not JSON. Its words never hold a value.
    struct Problem: Error {
        var code: DiagnosticCode = "invalid-json"
        let message: String
        let range: Range<Int>
        var hint: String?
        /// Where the name that stands twice stands first.
        var first: Range<Int>?
    }

    func diagnostic(_ problem: Problem) -> Diagnostic {
        Diagnostic(
            problem.code, at: location(of: problem.range), problem.message, hint: problem.hint,
            related: problem.first.map { [Diagnostic.Related("first set here", at: location(of: $0))] } ?? [])
    }

    /// A range of bytes as a place for messages.
    func location(of range: Range<Int>) -> Location {
        let (line, column) = place(of: range.lowerBound)
        let (endLine, endColumn) = place(of: range.upperBound)
        return Location(
            file: name, line: line, column: column, endLine: endLine, endColumn: endColumn, excerpt: text(ofLine: line))
    }

    private func place(of offset: Int) -> (line: Int, column: Int) {
        let offset = min(max(0, offset), bytes.count)
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return (low + 1, 1 + bytes[lineStarts[low]..<offset].lazy.filter { $0 & 0xC0 != 0x80 }.count)
    }

    /// A line without its end; one that is longer than 4 KiB is not shown.
    private func text(ofLine line: Int) -> String? {
        let start = lineStarts[line - 1]
        var end = line < lineStarts.count ? lineStarts[line] - 1 : bytes.count
        if end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        guard end - start <= 4096 else { return nil }
        var shown = Array(bytes[start..<end])
        for range in covered where range.overlaps(start..<end) {
            for index in range.clamped(to: start..<end) { shown[index - start] = UInt8(ascii: "*") }
        }
        return String(decoding: shown, as: UTF8.self)
    }

    // MARK: - Secrets in a schema

    private static let secretKeyword = "writeOnly"
    private static let valueKeywords: Set<String> = ["default", "const", "enum", "examples"]

    /// Whether a schema speaks of secrets, as far as can be told of one that is not JSON.
    var maySpeakOfSecrets: Bool { String(decoding: bytes, as: UTF8.self).contains(Self.secretKeyword) }

    /// Covers what may be a secret setting's value in the lines that messages show. Which of them are, references can make hard to
    /// tell: in a schema with secrets all values are covered.
    mutating func coverValues(of schema: Node) {
        guard maySpeakOfSecrets else { return }
        var open = [schema]
        while let node = open.popLast() {
            switch node.content {
            case .object(let members):
                for (name, member) in members {
                    // A property may have the name of a keyword; what is in it is looked through.
                    if Self.valueKeywords.contains(name), !member.value.isSchema { covered.append(member.value.range) }
                    open.append(member.value)
                }
            case .array(let items): open += items
            default: break
            }
        }
    }
}

extension JSONText.Node {
    /// Whether it is an object, as a schema is and hardly a value.
    fileprivate var isSchema: Bool { if case .object = content { true } else { false } }

    /// The content without its places.
    var value: JSONValue {
        switch content {
        case .null: .null
        case .boolean(let flag): .boolean(flag)
        case .integer(let number): .integer(number)
        case .number(let number): .number(number)
        case .string(let text): .string(text)
        case .array(let items): .array(items.map(\.value))
        case .object(let members): .object(members.mapValues(\.value.value))
        }
    }
}

/// Why a text is not JSON, and where.
public struct JSONSyntaxError: Error, Sendable {
    /// The problem as every other one is shown. Never holds a value of the document.
    public let diagnostic: Diagnostic
}

extension JSONValue {
    /// Reads a JSON document strictly: at most 16 MiB, 64 levels, no member twice, whole numbers exactly.
    /// - Parameter name: The document as messages call it.
    public init(parsing bytes: [UInt8], name: String = "JSON") throws(JSONSyntaxError) {
        let text = JSONText(bytes, name: name)
        do {
            self = try text.parse().value
        } catch {
            // A document that is data may hold secrets anywhere.
            throw JSONSyntaxError(diagnostic: text.diagnostic(error).withoutExcerpts)
        }
    }
}

extension Diagnostic {
    /// The same without the text of any line.
    var withoutExcerpts: Diagnostic {
        var diagnostic = self
        diagnostic.location?.excerpt = nil
        for index in diagnostic.related.indices { diagnostic.related[index].location?.excerpt = nil }
        return diagnostic
    }
}

extension Range<Int> {
    /// The range cut to so many bytes: for what is too large to mark as a whole.
    func prefix(_ count: Int) -> Range<Int> { lowerBound..<Swift.min(upperBound, lowerBound + count) }
}
