import OrderedCollections
import PlueConfig

/// A place in a JSON document, `/server/port` (RFC 6901).
struct JSONPointer: Hashable, Sendable, CustomStringConvertible {
    /// The names on the way, unescaped; none for the whole document.
    let tokens: [String]

    /// `nil` for text that is not a pointer.
    init?(_ text: String) {
        guard !text.isEmpty else {
            tokens = []
            return
        }
        guard text.hasPrefix("/") else { return nil }
        var tokens: [String] = []
        for part in text.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard let token = Self.unescaped(part) else { return nil }
            tokens.append(token)
        }
        self.tokens = tokens
    }

    /// `~1` is a slash and `~0` a tilde; a tilde before anything else is a mistake.
    private static func unescaped(_ part: Substring) -> String? {
        guard part.contains("~") else { return String(part) }
        var text = ""
        var characters = part.unicodeScalars.makeIterator()
        while let character = characters.next() {
            guard character == "~" else {
                text.unicodeScalars.append(character)
                continue
            }
            switch characters.next() {
            case "0": text += "~"
            case "1": text += "/"
            default: return nil
            }
        }
        return text
    }

    var description: String {
        tokens.map { "/" + $0.replacing("~", with: "~0").replacing("/", with: "~1") }.joined()
    }

    /// Whether the other place is inside this one.
    func contains(_ other: JSONPointer) -> Bool { other.tokens.count > tokens.count && other.tokens.starts(with: tokens) }
}

extension JSONValue {
    /// Whether both mean the same: the order of an object's members says nothing, and 1 is 1.0 (RFC 6902 §4.6).
    func isEqual(to other: JSONValue) -> Bool {
        switch (self, other) {
        case (.object(let left), .object(let right)):
            left.count == right.count && left.allSatisfy { name, value in right[name].map(value.isEqual) ?? false }
        case (.array(let left), .array(let right)):
            left.count == right.count && zip(left, right).allSatisfy { $0.isEqual(to: $1) }
        case (.integer(let left), .number(let right)), (.number(let right), .integer(let left)): Double(exactly: left) == right
        default: self == other
        }
    }
}
