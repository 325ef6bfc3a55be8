/// A table's name, with or without its schema, that can stand in a statement.
struct TableName: Hashable, Sendable {
    /// As it was given: `audit.plue`.
    let name: String
    /// As it stands in a statement: `"audit"."plue"`.
    let quoted: String

    init(_ name: String) throws(PostgresError) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy(Self.isPlain) else {
            throw .invalid("a table's name is 'table' or 'schema.table', each of letters, digits and '_', at most 63 of them")
        }
        self.name = name
        quoted = parts.map { "\"\($0)\"" }.joined(separator: ".")
    }

    private static func isPlain(_ part: Substring) -> Bool {
        // PostgreSQL cuts what is longer, and two names would be one.
        guard let first = part.utf8.first, part.utf8.count <= 63, !(0x30...0x39).contains(first) else { return false }
        return part.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: "_")
        }
    }
}

/// Texts as PostgreSQL writes an array of them: `{"a","b \" c"}`.
struct TextArray {
    let text: String

    init(_ texts: [String]) {
        var array = "{"
        for (index, element) in texts.enumerated() {
            if index > 0 { array += "," }
            array += "\""
            for scalar in element.unicodeScalars {
                if scalar == "\"" || scalar == "\\" { array += "\\" }
                array.unicodeScalars.append(scalar)
            }
            array += "\""
        }
        text = array + "}"
    }
}
