import PlueDocuments
import SystemPackage

/// A value's text with its substitutions found but not yet made: literal pieces and `${…}` references, in order.
struct Substitution: Sendable {
    enum Piece: Sendable {
        case literal(String)
        case reference(Reference)
    }

    /// One `${…}`.
    struct Reference: Sendable {
        enum Source: Hashable, Sendable {
            case variable(String)
            case file(FilePath)
            case credential(String)
            case setting(SettingKey)
        }

        /// What follows the name.
        enum Fallback: Hashable, Sendable {
            /// `:-text`: instead of a variable that is unset or empty.
            case text(String)
            /// `:?message`: the error when the variable is unset or empty.
            case message(String)
        }

        let source: Source
        let fallback: Fallback?
        /// Where the reference stands in its document: byte offsets of `$` and past `}`.
        let range: Range<Int>
    }

    /// A `${…}` that cannot be read.
    struct Malformed: Error {
        let message: String
        let hint: String
        let range: Range<Int>
    }

    private(set) var pieces: [Piece] = []

    /// Finds the references in a value.
    /// - Parameter fragments: Only verbatim ones can hold the start or the end of a reference, so what an escape
    ///   spells stays text.
    init(_ fragments: [Fragment]) throws(Malformed) {
        var scanner = Scanner(fragments)
        pieces = try scanner.pieces()
    }

    /// Reads a value's fragments byte by byte, knowing for each whether it is verbatim and where it stands.
    private struct Scanner {
        private var bytes: [UInt8] = []
        /// Per byte: its offset in the document, or -1 for what an escape spelled.
        private var offsets: [Int] = []
        private var index = 0
        private var literal: [UInt8] = []
        private var found: [Piece] = []

        init(_ fragments: [Fragment]) {
            for fragment in fragments {
                let offset = Int(fragment.offset)
                for (position, byte) in fragment.text.utf8.enumerated() {
                    bytes.append(byte)
                    offsets.append(fragment.isVerbatim ? offset + position : -1)
                }
            }
        }

        mutating func pieces() throws(Malformed) -> [Piece] {
            while index < bytes.count {
                if isSyntax(index, "$"), isSyntax(index + 1, "$"), isSyntax(index + 2, "{") {
                    literal += [UInt8(ascii: "$"), UInt8(ascii: "{")]
                    index += 3
                } else if isSyntax(index, "$"), isSyntax(index + 1, "{") {
                    let reference = try reference()
                    endLiteral()
                    found.append(.reference(reference))
                } else {
                    literal.append(bytes[index])
                    index += 1
                }
            }
            endLiteral()
            return found
        }

        private mutating func endLiteral() {
            guard !literal.isEmpty else { return }
            found.append(.literal(String(decoding: literal, as: UTF8.self)))
            literal = []
        }

        private func isSyntax(_ position: Int, _ character: Unicode.Scalar) -> Bool {
            position < bytes.count && offsets[position] >= 0 && bytes[position] == UInt8(ascii: character)
        }

        /// Reads one `${…}` and leaves `index` past it.
        private mutating func reference() throws(Malformed) -> Reference {
            let start = index
            var end = index + 2
            while end < bytes.count, !isSyntax(end, "}") {
                if isSyntax(end, "$"), isSyntax(end + 1, "{") {
                    throw malformed(start, end + 2, "a substitution inside another is not read", "substitutions do not nest")
                }
                end += 1
            }
            guard end < bytes.count else {
                throw malformed(start, bytes.count, "'${' is not closed", "add '}', or write $${ for a literal ${")
            }
            let body = String(decoding: bytes[(start + 2)..<end], as: UTF8.self)
            index = end + 1
            let range = range(start, end + 1)
            if let text = body.suffix(after: "env:") { return try variable(text, start, end + 1, range) }
            if let text = body.suffix(after: "file:") {
                guard !text.isEmpty, !text.utf8.contains(0) else {
                    throw malformed(start, end + 1, "${file:} names no file", "write ${file:/path/to/file}")
                }
                return Reference(source: .file(FilePath(text)), fallback: nil, range: range)
            }
            if let text = body.suffix(after: "credential:") {
                // A credential is a name in one directory; a path would reach out of it.
                guard !text.isEmpty, !text.contains("/"), text != ".", text != "..", !text.utf8.contains(0) else {
                    throw malformed(start, end + 1, "${credential:…} takes a plain name", "write ${credential:name}, without '/'")
                }
                return Reference(source: .credential(text), fallback: nil, range: range)
            }
            if let text = body.suffix(after: "config:") {
                guard let key = SettingKey(text) else {
                    throw malformed(start, end + 1, "${config:…} names no setting", "write ${config:section.key}")
                }
                return Reference(source: .setting(key), fallback: nil, range: range)
            }
            return try variable(body, start, end + 1, range)
        }

        private func variable(_ body: String, _ start: Int, _ end: Int, _ range: Range<Int>) throws(Malformed) -> Reference {
            let name = body.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
            guard let first = name.first, !first.isNumber else {
                throw malformed(
                    start, end, "${…} holds no valid variable name",
                    "write ${NAME}, ${file:…}, ${credential:…} or ${config:…}; $${ is a literal ${")
            }
            let rest = body.dropFirst(name.count)
            let fallback: Reference.Fallback?
            if rest.isEmpty {
                fallback = nil
            } else if let text = String(rest).suffix(after: ":-") {
                fallback = .text(text)
            } else if let text = String(rest).suffix(after: ":?") {
                fallback = .message(text)
            } else {
                throw malformed(
                    start, end, "${\(name)…} is not a form of substitution",
                    "write ${\(name)}, ${\(name):-default} or ${\(name):?message}")
            }
            return Reference(source: .variable(String(name)), fallback: fallback, range: range)
        }

        private func range(_ start: Int, _ end: Int) -> Range<Int> {
            let first = offsets[start]
            let last = offsets[max(start, end - 1)]
            return first..<max(first, last < 0 ? first : last) + 1
        }

        private func malformed(_ start: Int, _ end: Int, _ message: String, _ hint: String) -> Malformed {
            Malformed(message: message, hint: hint, range: range(start, min(end, bytes.count)))
        }
    }
}

extension String {
    fileprivate func suffix(after prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
