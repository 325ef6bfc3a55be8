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
        guard bytes.starts(with: Self.header), bytes.last == UInt8(ascii: "\n"), String(validating: bytes, as: UTF8.self) != nil else {
            return nil
        }
        // What lies between bytes of ASCII is valid where the whole is.
        var fields: [Field] = []
        fields.reserveCapacity(16)
        var rest = bytes[Self.header.count...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = rest[..<end]
            rest = rest[(end + 1)...]
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex, colon + 1 < end,
                line[colon + 1] == UInt8(ascii: " "), let value = Self.unescaped(line[(colon + 2)...])
            else { return nil }
            fields.append(Field(name: String(decoding: line[..<colon], as: UTF8.self), value: value))
        }
        guard let first = fields.first, first.name == "seq", let number = Int(first.value), String(number) == first.value else {
            return nil
        }
        self.number = number
        self.fields = fields
    }

    private static let header = Array("plue-audit/1\n".utf8)

    private static func unescaped(_ bytes: ArraySlice<UInt8>) -> String? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard bytes.contains(UInt8(ascii: "\\")) else { return text }
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
