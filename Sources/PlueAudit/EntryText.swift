/// An entry of the audit log, as it was written.
public struct AuditRecord: Hashable, Sendable {
    /// Counted from 1.
    public let number: Int
    /// Names and values in the order they were written; a name may stand more than once.
    public let fields: [Field]

    /// One line of an entry.
    public struct Field: Hashable, Sendable {
        /// What stands before the colon.
        public let name: String
        /// What stands after it, with its escapes undone.
        public let value: String
    }

    /// The first value of a name.
    public subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    /// `nil` for text that is not an entry.
    public init?(_ bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self), text.utf8.last == UInt8(ascii: "\n") else { return nil }
        var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)[...]
        guard let header = lines.popFirst(), String(Substring(header)) == "plue-audit/1", lines.popLast()?.isEmpty == true else {
            return nil
        }
        var fields: [Field] = []
        fields.reserveCapacity(lines.count)
        for line in lines {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
                line[line.index(after: colon)...].first == UInt8(ascii: " "),
                let value = Self.unescaped(Substring(line[line.index(colon, offsetBy: 2)...]))
            else { return nil }
            fields.append(Field(name: String(Substring(line[..<colon])), value: value))
        }
        guard let first = fields.first, first.name == "seq", let number = Int(first.value), String(number) == first.value else {
            return nil
        }
        self.number = number
        self.fields = fields
    }

    private static func unescaped(_ text: Substring) -> String? {
        guard text.utf8.contains(UInt8(ascii: "\\")) else { return String(text) }
        var value = ""
        var scalars = text.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            guard scalar == "\\" else {
                value.unicodeScalars.append(scalar)
                continue
            }
            switch scalars.next() {
            case "\\": value += "\\"
            case "n": value += "\n"
            case "r": value += "\r"
            case "t": value += "\t"
            case "0": value += "\0"
            default: return nil
            }
        }
        return value
    }
}
