import PlueDocuments
import Testing

@Suite("The INI dialect")
struct DialectTests {
    func document(_ text: String) throws -> Document { try Document(parsing: Array(text.utf8), name: "test.ini") }

    func value(_ written: String) throws -> String {
        let document = try document("[s]\nk = \(written)\n")
        return document.text(of: try #require(document.entries.first))
    }

    func items(_ written: String) throws -> [String] {
        let document = try document("[s]\nk = \(written)\n")
        return try document.items(of: try #require(document.entries.first)).map(\.text)
    }

    func problems(_ text: String) -> [SyntaxProblem] {
        do {
            _ = try document(text)
            return []
        } catch {
            return (error as? SyntaxErrors)?.problems ?? []
        }
    }

    @Test(
        "a value is what stands between the equals sign and the end of the line, trimmed",
        arguments: [
            ("8080", "8080"), ("  a b  ", "a b"), ("a;b #c", "a;b #c"), ("a = b", "a = b"), ("", ""), ("pa$$word", "pa$$word"),
            ("it's", "it's"), ("5\"", "5\""),
        ])
    func bare(written: String, expected: String) throws {
        #expect(try value(written) == expected)
    }

    @Test(
        "double quotes read escapes, single quotes read nothing, and a comment may follow either",
        arguments: [
            (#""a b ""#, "a b "), (#""a\"b\\c\n\r\t\0\u{e9}""#, "a\"b\\c\n\r\t\0é"), (#"'a\n"b'"#, #"a\n"b"#), (#""x" # note"#, "x"),
            (#"'x' ; note"#, "x"),
            (#""""#, ""),
        ])
    func quoted(written: String, expected: String) throws {
        #expect(try value(written) == expected)
    }

    @Test("a block drops the first newline and the indentation its lines share")
    func block() throws {
        let text = "[s]\nkey = \"\"\"\n    -----BEGIN-----\n      abc\\t$x\n\n    -----END-----\n    \"\"\"  # done\nnext = 1\n"
        let document = try document(text)
        #expect(document.text(of: document.entries[0]) == "-----BEGIN-----\n  abc\t$x\n\n-----END-----\n")
        #expect(document.text(of: document.entries[1]) == "1")
        #expect(document.place(of: Int(document.entries[1].keyRange.start)) == Place(line: 8, column: 1))
        #expect(document.line(4) == "      abc\\t$x")
    }

    @Test(
        "a list is split at commas outside quotes and substitutions",
        arguments: [
            ("", []), ("a", ["a"]), ("a, b ,c", ["a", "b", "c"]), (#""a,b", c"#, ["a,b", "c"]), (#"a, "b,c", 'd'"#, ["a", "b,c", "d"]),
            ("${A:-x,y}, z", ["${A:-x,y}", "z"]), (#""""#, [""]), (#""a", b # c"#, ["a", "b # c"]), (#"b, "a" "#, ["b", "a"]),
        ])
    func list(written: String, expected: [String]) throws {
        #expect(try items(written) == expected)
    }

    @Test("an item that is missing is an error at its comma", arguments: [("a,,b", 7), ("a,", 6), (",a", 5)])
    func emptyItem(written: String, column: Int) throws {
        let document = try document("[s]\nk = \(written)\n")
        #expect {
            try document.items(of: document.entries[0])
        } throws: { error in
            (error as? SyntaxErrors)?.problems.map(\.code) == [.emptyItem]
                && (error as? SyntaxErrors)?.problems[0].start == Place(line: 2, column: column)
        }
    }

    @Test(
        "each mistake has its code and its place",
        arguments: [
            ("k = 1\n", "key-outside-section", 1, 1),
            ("[s]\nk: 1\n", "colon-separator", 2, 2),
            ("[s]\n  k\n", "missing-equals", 2, 3),
            ("[s]\nk = 1\nk = 2\n", "duplicate-key", 3, 1),
            ("[s]\nk = 1\n[t]\n[s]\nk = 2\n", "duplicate-key", 5, 1),
            ("[s]\n9k = 1\n", "invalid-name", 2, 1),
            ("[s]\nä = 1\n", "invalid-name", 2, 1),
            ("[s]\na b = 1\n", "invalid-name", 2, 1),
            ("[s\nk = 1\n", "unterminated-section", 1, 1),
            ("[s t]\n", "invalid-name", 1, 2),
            ("[]\n", "invalid-name", 1, 1),
            ("[a..b]\n", "invalid-name", 1, 2),
            ("[a.b.c.d.e.f.g.h.i]\n", "section-too-deep", 1, 2),
            ("[s] x\n", "text-after-quote", 1, 5),
            ("[s]\nk = \"a\n", "unterminated-quote", 2, 5),
            ("[s]\nk = 'a\n", "unterminated-quote", 2, 5),
            ("[s]\nk = \"\"\"\na\n", "unterminated-quote", 2, 5),
            ("[s]\nk = \"a\\q\"\n", "unknown-escape", 2, 7),
            ("[s]\nk = \"\\u{110000}\"\n", "unknown-escape", 2, 6),
            ("[s]\nk = \"a\" b\n", "text-after-quote", 2, 9),
            ("[s]\nk = é\0\n", "nul-byte", 2, 6),
            ("[s]\rk = 1\rl = 2\n", "carriage-return", 1, 4),
            ("[s]\nk = 1\rl = 2\n", "carriage-return", 2, 6),
        ])
    func mistakes(text: String, code: String, line: Int, column: Int) {
        let found = problems(text)
        #expect(found.first?.code.rawValue == code)
        #expect(found.first?.start == Place(line: line, column: column))
    }

    @Test("a duplicate shows both places")
    func duplicate() {
        let problem = problems("[s]\n\tkey = 1\n[t]\nkey = 1\n[s]\nkey = 2\n")[0]
        #expect(problem.start == Place(line: 6, column: 1))
        #expect(problem.related.map(\.start) == [Place(line: 2, column: 2)])
    }

    @Test("all mistakes are reported at once, by place")
    func allAtOnce() {
        #expect(problems("a = 1\n[s]\nb\nc: 2\nd = \"\n").map(\.start.line) == [1, 3, 4, 5])
    }

    @Test("invalid UTF-8 and UTF-16 are errors with a place")
    func encodings() throws {
        for (bytes, code, column) in [
            ([0x5B, 0x73, 0x5D, 0x0A, 0x6B, 0x3D, 0xC3, 0xA9, 0xFF] as [UInt8], SyntaxProblem.Code.invalidUTF8, 4),
            ([0xFF, 0xFE, 0x5B, 0x00], .otherEncoding, 1),
        ] {
            #expect {
                try Document(parsing: bytes, name: "x")
            } throws: { error in
                let problem = (error as? SyntaxErrors)?.problems.first
                return problem?.code == code && problem?.start.column == column
            }
        }
    }

    @Test("a byte order mark and CRLF are accepted, and are no part of any value")
    func crlf() throws {
        let document = try document("\u{FEFF}[s]\r\nk = 1 \r\nl = \"\"\"\r\n  a\r\n  \"\"\"\r\n")
        #expect(document.entries.map { document.text(of: $0) } == ["1", "a\r\n"])
        #expect(document.line(2) == "k = 1 ")
    }

    @Test("each limit is an error one past it, and none at it")
    func limits() throws {
        var limits = Document.Limits()
        limits.maxKeys = 3
        limits.maxLineBytes = 12
        limits.maxBytes = 40
        func codes(_ text: String) -> [String] {
            do {
                _ = try Document(parsing: Array(text.utf8), name: "x", limits: limits)
                return []
            } catch { return error.problems.map(\.code.rawValue) }
        }
        #expect(codes("[s]\na=1\nb=1\nc=1\n") == [])
        #expect(codes("[s]\na=1\nb=1\nc=1\nd=1\ne=1\n") == ["too-many-keys"])
        #expect(codes("[s]\nk=123456789\n") == [])
        #expect(codes("[s]\nk=1234567890\n") == ["line-too-long"])
        #expect(codes("[s]\n" + String(repeating: "#\n", count: 18)) == [])
        #expect(codes("[s]\n" + String(repeating: "#\n", count: 19)) == ["file-too-large"])
    }

    @Test("columns count Unicode scalars")
    func columns() throws {
        let document = try document("[s]\nk = é😀, b\n")
        let items = try document.items(of: document.entries[0])
        #expect(document.place(of: Int(items[1].range.start)) == Place(line: 2, column: 9))
    }
}
