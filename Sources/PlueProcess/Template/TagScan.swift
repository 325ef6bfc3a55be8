/// One tag of a template.
struct TemplateTag: Sendable, Hashable {
    enum Kind: Sendable { case value, section, inverted }

    let kind: Kind
    let name: String
    let line: Int
}

/// Reads a template's tags and gives each a number in the place of its name.
///
/// The Mustache library says neither which name it did not find nor where that stood: it leaves the place empty. Asked for by
/// number, the answer knows the tag's line. Everything else about the text stays as it is, so the library's rules for lines that
/// hold nothing but a tag hold as well.
struct TagScan {
    private let bytes: [UInt8]
    private let file: String
    private var position = 0
    private var line = 1
    private var opening = Array("{{".utf8)
    private var closing = Array("}}".utf8)
    private var open: [Int] = []
    private(set) var tags: [TemplateTag] = []
    private(set) var numbered: [UInt8] = []

    /// How deep sections may nest: the library reads them recursively.
    private static let deepest = 32
    private static let functions = ["first()", "last()", "index()", "name()"]

    init(_ bytes: [UInt8], file: String) throws(TemplateProblem) {
        self.bytes = bytes
        self.file = file
        while let start = find(opening, from: position) {
            copy(upTo: start)
            position = start + opening.count
            try readTag()
        }
        copy(upTo: bytes.count)
        if let last = open.last { throw problem("the section '\(tags[last].name)' is not closed", tags[last].line) }
    }

    // MARK: - Tags

    private mutating func readTag() throws(TemplateProblem) {
        guard position < bytes.count else { throw problem("a tag is not closed") }
        let sigil = bytes[position]
        switch sigil {
        case UInt8(ascii: "!"):
            let comment = try content(upTo: closing)
            numbered += opening + comment + closing
            count(comment)
        case UInt8(ascii: "="):
            try readDelimiters()
        case UInt8(ascii: "{"):
            guard closing == Array("}}".utf8) else { throw problem("with other delimiters, write the name alone: nothing is escaped") }
            position += 1
            try addValue(name(try content(upTo: closing + [UInt8(ascii: "}")])))
        case UInt8(ascii: "&"):
            position += 1
            try addValue(name(try content(upTo: closing)))
        case UInt8(ascii: "#"), UInt8(ascii: "^"):
            position += 1
            guard open.count < Self.deepest else { throw problem("sections nest more than \(Self.deepest) deep") }
            let kind: TemplateTag.Kind = sigil == UInt8(ascii: "#") ? .section : .inverted
            let name = try checked(name(try content(upTo: closing)), kind)
            open.append(tags.count)
            emit(sigil, tags.count)
            tags.append(TemplateTag(kind: kind, name: name, line: line))
        case UInt8(ascii: "/"):
            position += 1
            let name = name(try content(upTo: closing))
            guard let last = open.popLast() else { throw problem("'\(name)' is closed and was not opened") }
            guard tags[last].name == name else {
                throw problem("'\(name)' is closed where '\(tags[last].name)' of line \(tags[last].line) is open")
            }
            emit(sigil, last)
        case UInt8(ascii: ">"), UInt8(ascii: "<"), UInt8(ascii: "$"):
            throw problem("a template is one file: there are no partials and no blocks")
        case UInt8(ascii: "%"):
            throw problem("there are no pragmas: nothing is escaped anyway")
        default:
            try addValue(name(try content(upTo: closing)))
        }
    }

    private mutating func addValue(_ name: String) throws(TemplateProblem) {
        let name = try checked(name, .value)
        emit(UInt8(ascii: "&"), tags.count)
        tags.append(TemplateTag(kind: .value, name: name, line: line))
    }

    private mutating func emit(_ sigil: UInt8, _ number: Int) {
        numbered += opening + [sigil] + Array(String(number).utf8) + closing
    }

    /// `{{=<% %>=}}`: what follows is marked by others. At the top level only: the library forgets them at a section's end.
    private mutating func readDelimiters() throws(TemplateProblem) {
        guard open.isEmpty else { throw problem("delimiters change outside of sections only") }
        let tag = opening
        let content = try content(upTo: [UInt8(ascii: "=")] + closing)
        numbered += tag + content + [UInt8(ascii: "=")] + closing
        let marks = content.dropFirst().split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        let areSigns = marks.allSatisfy { mark in
            mark.count <= 8 && mark.allSatisfy { (0x21...0x7E).contains($0) && !Self.isPartOfName($0) && $0 != UInt8(ascii: "=") }
        }
        guard marks.count == 2, areSigns else { throw problem("delimiters are two marks such as <% and %>") }
        (opening, closing) = (Array(marks[0]), Array(marks[1]))
    }

    // MARK: - Names

    private func checked(_ name: String, _ kind: TemplateTag.Kind) throws(TemplateProblem) -> String {
        if name == "." || Self.functions.contains(name) { return name }
        if name.contains("(") { throw problem("there is no function '\(name)'; there are \(Self.functions.joined(separator: ", "))") }
        let components = name.split(separator: ".", omittingEmptySubsequences: false)
        let named = kind != .value && components.last == "*" ? components.dropLast() : components[...]
        guard named.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(Self.isPartOfName) }) else { throw problem("'\(name)' is no name") }
        return name
    }

    private static func isPartOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private func name(_ content: ArraySlice<UInt8>) -> String {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        let trimmed = content.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
        return String(decoding: trimmed.prefix(200), as: UTF8.self)
    }

    // MARK: - Bytes

    /// What stands from here to the mark, which is passed over. The line is the tag's, also when it goes on in the next one.
    private mutating func content(upTo mark: [UInt8]) throws(TemplateProblem) -> ArraySlice<UInt8> {
        guard let end = find(mark, from: position) else { throw problem("a tag is not closed") }
        defer { position = end + mark.count }
        return bytes[position..<end]
    }

    private func find(_ mark: [UInt8], from start: Int) -> Int? {
        guard let first = mark.first, bytes.count >= mark.count else { return nil }
        var index = start
        while index <= bytes.count - mark.count {
            if bytes[index] == first, bytes[index..<(index + mark.count)].elementsEqual(mark) { return index }
            index += 1
        }
        return nil
    }

    private mutating func copy(upTo end: Int) {
        numbered += bytes[position..<end]
        count(bytes[position..<end])
        position = end
    }

    private mutating func count(_ text: ArraySlice<UInt8>) { line += text.count { $0 == UInt8(ascii: "\n") } }

    private func problem(_ message: String, _ line: Int? = nil) -> TemplateProblem {
        TemplateProblem(file: file, [TemplateProblem.Place(line: line ?? self.line, message: message)])
    }
}
