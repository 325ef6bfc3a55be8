/// One INI file's text, parsed without loss: its bytes, and where in them each section, key and value stands.
///
/// Reading is a matter of offsets: parsing makes no string for a key or a value, and what is never asked for costs nothing.
public struct Document: Sendable {
    /// How messages call the document: `config/production.ini`.
    public let name: String
    /// The text exactly as it was given.
    public let bytes: [UInt8]
    /// The sections in order; one that is opened again appears again.
    public let sections: [Section]
    /// All keys with their values, in order.
    public let entries: ContiguousArray<Entry>
    /// Where each line starts.
    private let lineStarts: [UInt32]

    /// What a document may be at most; each limit has its own error.
    public struct Limits: Sendable {
        /// Largest document, in bytes.
        public var maxBytes = 16 * 1_048_576
        /// Longest line, in bytes.
        public var maxLineBytes = 1_048_576
        /// Also the most section headers, since an empty section costs more memory than a key.
        public var maxKeys = 100_000
        /// Most parts that a section's name may have.
        public var maxSectionDepth = 8

        public init() {}
    }

    /// A `[section]` and the keys under it.
    public struct Section: Sendable {
        /// With its dots: `server.tls`.
        public let name: String
        /// From `[` past `]`.
        public let header: SourceRange
        /// Where the name stands, without the brackets.
        public let nameRange: SourceRange
        /// Its keys, as indices of ``Document/entries``.
        public let entries: Range<Int>
    }

    /// A `key = value`.
    public struct Entry: Sendable {
        /// Where the key stands.
        public let keyRange: SourceRange
        /// The value as written, quotes included, spaces around it not.
        public let valueRange: SourceRange
        /// How the value is written.
        public let form: ValueForm
    }

    /// Parses a text.
    /// - Throws: ``SyntaxErrors`` with everything that is wrong with it.
    public init(parsing bytes: [UInt8], name: String, limits: Limits = Limits()) throws(SyntaxErrors) {
        var parser = Parser(limits: limits)
        bytes.withUnsafeBufferPointer { parser.parse($0) }
        guard parser.findings.isEmpty else {
            throw SyntaxErrors(problems: PlaceFinder(bytes).problems(parser.findings))
        }
        self.name = name
        self.bytes = bytes
        sections = parser.sections
        entries = parser.entries
        lineStarts = parser.lineStarts
    }

    /// An entry's key.
    public func key(of entry: Entry) -> String { text(in: entry.keyRange) }

    /// An entry's value exactly as written, quotes included.
    public func rawText(of entry: Entry) -> String { text(in: entry.valueRange) }

    /// An entry's value in pieces, as one value: quotes taken off, escapes read.
    public func fragments(of entry: Entry) -> [Fragment] {
        bytes.withUnsafeBufferPointer { ValueReading($0).fragments(entry.valueRange.indices, entry.form) }
    }

    /// An entry's value as one text.
    public func text(of entry: Entry) -> String { fragments(of: entry).map(\.text).joined() }

    /// An entry's value as a list; none for an empty value.
    /// - Throws: ``SyntaxErrors`` when an item is missing between commas or a quoted item has text after it.
    public func items(of entry: Entry) throws(SyntaxErrors) -> [Item] {
        let reading = bytes.withUnsafeBufferPointer { ValueReading($0).items(entry.valueRange.indices, entry.form) }
        switch reading {
        case .success(let items): return items
        case .failure(let finding): throw SyntaxErrors(problems: PlaceFinder(bytes).problems([finding]))
        }
    }

    /// The entry of that name; `nil` when there is none.
    public func firstEntry(section: String, key: String) -> Entry? {
        let wanted = Array(key.utf8)
        for candidate in sections where candidate.name == section {
            if let entry = entries[candidate.entries].first(where: { bytes[$0.keyRange.indices].elementsEqual(wanted) }) { return entry }
        }
        return nil
    }

    /// The place of a byte, for messages.
    public func place(of offset: Int) -> Place {
        let offset = min(max(offset, 0), bytes.count)
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if Int(lineStarts[middle]) <= offset { low = middle } else { high = middle }
        }
        let start = lineStarts.isEmpty ? 0 : Int(lineStarts[low])
        // The first line starts past the byte order mark, so no column counts it.
        return Place(line: low + 1, column: 1 + bytes[min(start, offset)..<offset].lazy.filter { $0 & 0xC0 != 0x80 }.count)
    }

    /// A line's text without its end; empty when there is no such line.
    /// - Parameter number: From 1.
    public func line(_ number: Int) -> String {
        guard lineStarts.indices.contains(number - 1) else { return "" }
        let start = Int(lineStarts[number - 1])
        var end = number < lineStarts.count ? Int(lineStarts[number]) - 1 : bytes.count
        if end > start, bytes[end - 1] == .carriageReturn { end -= 1 }
        return String(decoding: bytes[start..<max(start, end)], as: UTF8.self)
    }

    private func text(in range: SourceRange) -> String {
        bytes.withUnsafeBufferPointer { String(decoding: UnsafeBufferPointer(rebasing: $0[range.indices]), as: UTF8.self) }
    }
}

/// How a value is written.
public enum ValueForm: UInt8, Hashable, Sendable {
    /// Without quotes: the rest of the line is the value, or a list.
    case bare
    /// `"…"`, with escapes.
    case doubleQuoted
    /// `'…'`, literally.
    case singleQuoted
    /// `"""…"""`, over several lines.
    case block
    /// Starts with a quoted item of a list.
    case list
}

/// A piece of a value's text.
public struct Fragment: Hashable, Sendable {
    /// With quotes and escapes undone.
    public let text: String
    /// Where it stands in the document.
    public let offset: Int
    /// Whether the document's bytes from ``offset`` on are the text, so that `${…}` may stand in it. What an escape spells, or
    /// stands in `'…'`, is not: it never starts a substitution.
    public let isVerbatim: Bool
}

/// One item of a list.
public struct Item: Hashable, Sendable {
    /// Bare, or one of the quoted forms.
    public let form: ValueForm
    /// Where the value stands, quotes included.
    public let range: SourceRange
    /// Its parts: plain text, and text that nothing is substituted in.
    public let fragments: [Fragment]

    /// The item's text.
    public var text: String { fragments.map(\.text).joined() }
}

extension Collection<UInt8> {
    var startsWithByteOrderMark: Bool { starts(with: [0xEF, 0xBB, 0xBF]) }
}

extension UInt8 {
    static let newline = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let quote = UInt8(ascii: "\"")
    static let apostrophe = UInt8(ascii: "'")
    static let backslash = UInt8(ascii: "\\")
    static let comma = UInt8(ascii: ",")

    var isSpace: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
    var startsComment: Bool { self == UInt8(ascii: "#") || self == UInt8(ascii: ";") }
    var startsName: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) || self == UInt8(ascii: "_") }
    var continuesName: Bool { startsName || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) || self == UInt8(ascii: "-") }
}
