import PlueDocuments
import TestGround
import Testing

@Suite("Properties over generated documents")
struct PropertyTests {
    static let characters: [Character] = Array("ab1_-.,;:#=$ {}'\"\\\t\n[]é😀")

    func text(_ generator: inout SeededGenerator, _ length: ClosedRange<Int> = 0...12) -> String {
        String((0..<Int.random(in: length, using: &generator)).map { _ in Self.characters.randomElement(using: &generator) ?? "a" })
    }

    func name(_ generator: inout SeededGenerator) -> String {
        String("abcDEF_".randomElement(using: &generator) ?? "a")
            + String((0..<Int.random(in: 0...5, using: &generator)).map { _ in "xyz09-_".randomElement(using: &generator) ?? "x" })
    }

    /// A document with comments, blank lines, odd spacing and every form of value, and what it should read as.
    func document(_ generator: inout SeededGenerator) -> (text: String, values: [String: String]) {
        let end = Bool.random(using: &generator) ? "\n" : "\r\n"
        var text = ["", "\u{FEFF}"].randomElement(using: &generator) ?? ""
        var values: [String: String] = [:]
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            let section = name(&generator)
            text += "# \(name(&generator))\(end)[\(section)]\(end)"
            for _ in 0..<Int.random(in: 0...5, using: &generator) {
                let key = name(&generator)
                guard values["\(section).\(key)"] == nil else { continue }
                let plain = self.text(&generator)
                let space = ["", " ", "\t "].randomElement(using: &generator) ?? ""
                text += "\(space)\(key)\(space)=\(space)\(ValueText.quoted(plain))\(space)\(end)"
                if Bool.random(using: &generator) { text += "  ; \(name(&generator))\(end)\(end)" }
                values["\(section).\(key)"] = plain
            }
        }
        if Bool.random(using: &generator), text.hasSuffix("\n") { text.removeLast() }
        return (text, values)
    }

    /// What substitution makes of text without references: only `$${` changes.
    func read(_ document: Document, _ entry: Document.Entry) -> String { document.text(of: entry).replacing("$${", with: "${") }

    @Test("what was generated reads back, and the bytes are kept", arguments: 0..<300)
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let (text, values) = document(&generator)
        let document = try Document(parsing: Array(text.utf8), name: "x")
        #expect(document.bytes == Array(text.utf8))
        var found: [String: String] = [:]
        for section in document.sections {
            for entry in document.entries[section.entries] { found["\(section.name).\(document.key(of: entry))"] = read(document, entry) }
        }
        #expect(found == values)
    }

    @Test("an edit changes one value and leaves every other byte", arguments: 0..<200)
    func edits(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let (text, _) = document(&generator)
        let before = try Document(parsing: Array(text.utf8), name: "x")
        var after = before
        let plain = self.text(&generator)
        if let entry = before.entries.randomElement(using: &generator),
            let section = before.sections.first(where: { s in before.entries[s.entries].contains { $0.keyRange == entry.keyRange } })
        {
            try after.set(before.key(of: entry), in: section.name, to: ValueText.quoted(plain))
            let edited = try #require(after.firstEntry(section: section.name, key: before.key(of: entry)))
            #expect(read(after, edited) == plain)
            #expect(after.bytes.prefix(Int(entry.valueRange.start)) == before.bytes.prefix(Int(entry.valueRange.start)))
            #expect(
                after.bytes.suffix(before.bytes.count - Int(entry.valueRange.end))
                    == before.bytes.suffix(before.bytes.count - Int(entry.valueRange.end)))
        }
        try after.set("new_key", in: "brand-new", to: ValueText.quoted(plain))
        let added = try #require(after.firstEntry(section: "brand-new", key: "new_key"))
        #expect(read(after, added) == plain)
        #expect(after.entries.count == before.entries.count + 1)
        #expect(try after.remove("new_key", in: "brand-new"))
        #expect(after.entries.count == before.entries.count)
    }

    @Test("a list reads back as its items", arguments: 0..<200)
    func lists(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let items = (0..<Int.random(in: 0...5, using: &generator)).map { _ in text(&generator) }
        let read = try ValueText(parsing: ValueText.list(items)).items().map { $0.text.replacing("$${", with: "${") }
        #expect(read == items)
    }

    @Test("every prefix of a document parses or is refused", arguments: 0..<20)
    func prefixes(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let bytes = Array(document(&generator).text.utf8)
        for length in 0...bytes.count {
            guard let document = try? Document(parsing: Array(bytes.prefix(length)), name: "x") else { continue }
            #expect(document.bytes.count == length)
        }
    }
}
