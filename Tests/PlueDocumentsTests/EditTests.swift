import PlueDocuments
import Testing

@Suite("Edits")
struct EditTests {
    func edited(_ text: String, _ edit: (inout Document) throws -> Void) throws -> String {
        var document = try Document(parsing: Array(text.utf8), name: "x")
        try edit(&document)
        return String(decoding: document.bytes, as: UTF8.self)
    }

    @Test("setting a key replaces its value and nothing else")
    func replace() throws {
        #expect(
            try edited("# a\n[s]\n  port =  80\t\n; b\nx = 1") { try $0.set("port", in: "s", to: "8080") }
                == "# a\n[s]\n  port =  8080\t\n; b\nx = 1")
    }

    @Test("a new key goes to the end of its section, with its indentation and line ends")
    func add() throws {
        #expect(
            try edited("[s]\r\n  a = 1\r\n\r\n# next\r\n[t]\r\n") { try $0.set("b", in: "s", to: "2") }
                == "[s]\r\n  a = 1\r\n  b = 2\r\n\r\n# next\r\n[t]\r\n")
        #expect(try edited("[s]") { try $0.set("b", in: "s", to: "2") } == "[s]\nb = 2\n")
    }

    @Test("a new section goes to the end of the document")
    func addSection() throws {
        #expect(try edited("[s]\na = 1") { try $0.set("b", in: "t.u", to: "\"x y\"") } == "[s]\na = 1\n\n[t.u]\nb = \"x y\"\n")
        #expect(try edited("") { try $0.set("b", in: "t", to: "1") } == "[t]\nb = 1\n")
    }

    @Test("removing a key removes its lines, a block's all")
    func remove() throws {
        #expect(
            try edited("\u{FEFF}[s]\na = 1\nb = \"\"\"\nx\n\"\"\" # c\nd = 2\n") { _ = try $0.remove("b", in: "s") }
                == "\u{FEFF}[s]\na = 1\nd = 2\n")
        var document = try Document(parsing: Array("[s]\na = 1\n".utf8), name: "x")
        #expect(try document.remove("z", in: "s") == false)
        #expect(document.bytes == Array("[s]\na = 1\n".utf8))
    }

    @Test("removing a section leaves the comment of the next one")
    func removeSection() throws {
        #expect(
            try edited("[a]\nx = 1\n# about b\n[b]\ny = 1\n[a]\nz = 1\n") { _ = try $0.removeSection("a") } == "# about b\n[b]\ny = 1\n")
    }

    @Test(
        "what cannot be read back is refused and changes nothing",
        arguments: [
            ("key", "s", "a\nb = 2"), ("key", "s", "\"open"), ("a b", "s", "1"), ("key", "s]\n[t", "1"), ("key", "s", "\"a\" b"),
            ("x = 1\nkey", "s", "1"),
        ])
    func refused(key: String, section: String, value: String) throws {
        let text = "[s]\na = 1\n"
        var document = try Document(parsing: Array(text.utf8), name: "x")
        #expect(throws: EditError.self) { try document.set(key, in: section, to: value) }
        #expect(document.bytes == Array(text.utf8) && document.entries.count == 1)
        #expect(throws: EditError.self) { try document.addSection("b]\nc = 1\n[d") }
        #expect(throws: EditError.self) { try document.addSection("b]\n[e") }
        #expect(document.bytes == Array(text.utf8) && document.entries.count == 1)
    }

    @Test("a comment stays a comment, whatever ends its lines")
    func comment() throws {
        #expect(
            try edited("[s]\na = 1\n") { try $0.addSection("t", comment: "x\r\nb = 2\nc = 3\rd = 4") }
                == "[s]\na = 1\n\n# x\n# b = 2\n# c = 3\n# d = 4\n[t]\n")
    }

    @Test("a value before a comment gets the quotes that keep the comment out of it, or is refused")
    func besideComment() throws {
        #expect(try edited("[s]\na = \"x\" # note\n") { try $0.set("a", in: "s", to: "8080") } == "[s]\na = \"8080\" # note\n")
        #expect(try edited("[s]\na = 'x' # note\n") { try $0.set("a", in: "s", to: "") } == "[s]\na = \"\" # note\n")
        #expect(try edited("[s]\na = \"\"\"\nx\"\"\" ; n\n") { try $0.set("a", in: "s", to: "'y'") } == "[s]\na = 'y' ; n\n")
        #expect(try edited("[s]\na = x # y\n") { try $0.set("a", in: "s", to: "z") } == "[s]\na = z\n")
        for value in ["a, b", "${A}", "\"a\", b", "C:\\x"] {
            var document = try Document(parsing: Array("[s]\na = \"x\" # note\n".utf8), name: "x")
            #expect(throws: EditError.self) { try document.set("a", in: "s", to: value) }
            #expect(document.bytes == Array("[s]\na = \"x\" # note\n".utf8))
        }
    }
}
