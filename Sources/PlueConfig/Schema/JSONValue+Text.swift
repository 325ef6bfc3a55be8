extension JSONValue {
    /// The value as JSON text, members in their own order; one value always gives the same text.
    ///
    /// JSON has no infinity and no NaN: they become `null`. Control characters and marks that turn the reading direction are
    /// escaped, so that the text is safe on a terminal.
    /// - Parameter indented: Two spaces a level and one member a line, instead of no space at all.
    public func text(indented: Bool = false) -> String {
        var writer = JSONWriter(isIndented: indented)
        writer.write(self)
        return writer.text
    }

    /// A text as a JSON string, quotes included.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value >= 0x20 && scalar.value < 0x7F: quoted.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x20 || scalar.value == 0x7F || scalar.isInvisible:
                for unit in UTF16.encode(scalar).map(Array.init) ?? [] {
                    let digits = String(unit, radix: 16)
                    quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

extension JSONValue: CustomStringConvertible {
    /// The value as JSON text on one line.
    public var description: String { text() }
}

private struct JSONWriter {
    let isIndented: Bool
    private(set) var text = ""
    private var depth = 0

    init(isIndented: Bool) { self.isIndented = isIndented }

    mutating func write(_ value: JSONValue) {
        switch value {
        case .null: text += "null"
        case .boolean(let flag): text += flag ? "true" : "false"
        case .integer(let number): text += String(number)
        case .number(let number): text += number.isFinite ? String(number) : "null"
        case .string(let string): text += JSONValue.quoted(string)
        case .array(let items): writeAll(items, "[", "]") { $0.write($1) }
        case .object(let members):
            writeAll(members, "{", "}") { writer, member in
                writer.text += JSONValue.quoted(member.key) + (writer.isIndented ? ": " : ":")
                writer.write(member.value)
            }
        }
    }

    private mutating func writeAll<Items: Sequence>(
        _ items: Items, _ opening: String, _ closing: String, _ write: (inout JSONWriter, Items.Element) -> Void
    ) {
        text += opening
        depth += 1
        var isEmpty = true
        for item in items {
            if !isEmpty { text += "," }
            isEmpty = false
            startLine()
            write(&self, item)
        }
        depth -= 1
        if !isEmpty { startLine() }
        text += closing
    }

    private mutating func startLine() {
        if isIndented { text += "\n" + String(repeating: "  ", count: depth) }
    }
}
