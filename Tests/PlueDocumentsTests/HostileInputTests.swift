import PlueDocuments
import TestGround
import Testing

/// Documents that somebody made to cost time or memory, or that look like something they are not.
@Suite("Hostile input")
struct HostileInputTests {
    /// Far more than a linear reading takes, without optimization on a busy machine; far less than a quadratic one.
    static let patience = Duration.seconds(10)

    static func times(_ count: Int, _ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * text.utf8.count)
        for _ in 0..<count { bytes += text.utf8 }
        return bytes
    }

    func problems(_ bytes: [UInt8], _ limits: Document.Limits = .init()) -> [SyntaxProblem] {
        do {
            _ = try Document(parsing: bytes, name: "x", limits: limits)
            return []
        } catch { return error.problems }
    }

    func problems(_ text: String) -> [SyntaxProblem] { problems(Array(text.utf8)) }

    static let halfMebibyte = 524_288
    static let shapes: [(name: String, head: String, unit: String, tail: String)] = [
        ("quotes", "", "\"", ""), ("lines of quotes", "[s]\n", "k = \"\n", ""), ("brackets", "", "[", ""),
        ("lines of brackets", "", "[\n", ""),
        ("empty sections", "", "[s]\n", ""), ("sections", "", "[s]\nk = 1\n", ""), ("references", "[s]\nk = \"", "${", "\"\n"),
        ("newlines", "", "\n", ""), ("carriage returns", "", "\r\n", ""), ("spaces", "[s]\n", " ", "k = 1\n"),
        ("commas", "[s]\nk = \"a\"", ",", "\n"),
        ("a block of lines", "[s]\nk = \"\"\"\n", " a\n", "\"\"\"\n"), ("a block of escapes", "[s]\nk = \"\"\"\n", "\\n", "\n\"\"\"\n"),
        ("a block that stays open", "[s]\nk = \"\"\"", "\n", ""),
        ("blocks that open each other", "[s]\n", "k = \"\"\"\n", ""), ("blocks with mistakes", "[s]\n", "k = \"\"\" \\q\n", ""),
        ("keys", "[s]\n", "k=\n", ""),
        ("not UTF-8 at the end", "", "é", "\u{FFFF}\0"),
    ]

    @Test("half a MiB of anything is read or refused in linear time", arguments: shapes.indices)
    func linear(index: Int) throws {
        let shape = Self.shapes[index]
        let bytes = Array(shape.head.utf8) + Self.times(Self.halfMebibyte / shape.unit.utf8.count, shape.unit) + Array(shape.tail.utf8)
        let clock = ContinuousClock()
        let spent = clock.measure {
            guard let document = try? Document(parsing: bytes, name: "x") else {
                let problems = problems(bytes)
                #expect(!problems.isEmpty && problems.count <= 1000)
                return
            }
            for entry in document.entries {
                _ = document.text(of: entry)
                _ = try? document.items(of: entry)
            }
        }
        #expect(spent < Self.patience, "\(shape.name): \(spent)")
    }

    @Test("a list of references that nothing closes is split in linear time", arguments: ["", "\"a\", "])
    func openReferences(head: String) throws {
        let bytes = Array("[s]\nk = \(head)".utf8) + Self.times(200_000, "${,") + Array("x\n".utf8)
        let spent = try ContinuousClock().measure {
            let document = try Document(parsing: bytes, name: "x")
            #expect(try document.items(of: document.entries[0]).count == 200_001 + (head.isEmpty ? 0 : 1))
        }
        #expect(spent < Self.patience, "\(spent)")
    }

    @Test("a thousand mistakes at the ends of long lines get their places in one pass")
    func places() throws {
        // Every duplicate refers to the first key, which stands behind a million spaces.
        let bytes = Array("[s]\n".utf8) + Self.times(1_000_000, " ") + Array("k = 1\n".utf8) + Self.times(1200, "k = 2\n")
        var found: [SyntaxProblem] = []
        let spent = ContinuousClock().measure { found = problems(bytes) }
        #expect(found.count == 1000 && found[999].related[0].start == Place(line: 2, column: 1_000_001))
        #expect(spent < .seconds(10), "\(spent)")
    }

    @Test("a file that is too large is not searched for places")
    func tooLarge() {
        var limits = Document.Limits()
        limits.maxBytes = 10
        #expect(problems(Self.times(20, "\n"), limits).map(\.start) == [Place(line: 1, column: 1)])
    }

    @Test("headers are limited like keys, whether or not they hold any")
    func headers() {
        var limits = Document.Limits()
        limits.maxKeys = 3
        #expect(problems(Self.times(3, "[s]\n"), limits).isEmpty)
        let found = problems(Self.times(6, "[s]\n"), limits)
        #expect(found.map(\.code) == [.tooManySections] && found.first?.start == Place(line: 4, column: 2))
    }

    @Test("a long line inside a block is one too many bytes long like any other")
    func longLineInBlock() {
        var limits = Document.Limits()
        limits.maxLineBytes = 20
        #expect(problems(Array("[s]\nk = \"\"\"\n1234567890123456789\n\"\"\"\n".utf8), limits).isEmpty)
        #expect(problems(Array("[s]\nk = \"\"\"\n12345678901234567890\n\"\"\"\n".utf8), limits).map(\.start) == [Place(line: 3, column: 1)])
    }

    // MARK: - What looks like something else

    @Test(
        "a carriage return alone ends no line, in a comment or a quote neither, and hides nothing behind it",
        arguments: [
            ("# made on a Mac\r[s]\rk = 1\r", 1, 16), ("[s] # c\rk = 1\n", 1, 8), ("[s]\nk = \"a\rb\"\n", 2, 7),
            ("[s]\nk = \"\"\"a\"\"\"\rl = 2\n", 2, 12), ("[s]\r\nk = 1\r\r\n", 2, 6),
        ])
    func carriageReturns(text: String, line: Int, column: Int) {
        #expect(problems(text).map(\.code) == [.carriageReturn])
        #expect(problems(text).first?.start == Place(line: line, column: column))
    }

    @Test("a byte order mark inside the file is named, and the one at its start is no column")
    func byteOrderMarks() throws {
        let inside = try #require(problems("[s]\n\u{FEFF}[t]\nk = 1\n").first)
        #expect(inside.code == .invalidName && inside.message.contains("byte order mark") && inside.start == Place(line: 2, column: 1))
        #expect(problems("\u{FEFF}[a b]\n").first?.start == Place(line: 1, column: 2))
        let document = try Document(parsing: Array("\u{FEFF}[s]\n".utf8), name: "x")
        #expect(document.place(of: Int(document.sections[0].nameRange.start)) == Place(line: 1, column: 2))
        #expect(document.line(1) == "[s]")
    }

    @Test("a header with a mistake is one mistake: its keys are not blamed, theirs still are")
    func refusedHeader() {
        #expect(
            problems("[mail function]\nSMTP = localhost\nport = 25\nx: 1\n[s]\nk = 1\nk = 2\n").map {
                "\($0.code.rawValue) \($0.start.line)"
            } == ["invalid-name 1", "colon-separator 4", "duplicate-key 7"])
        #expect(
            problems("a = 1\n[s\nb = 1\n").map { "\($0.code.rawValue) \($0.start.line)" } == [
                "key-outside-section 1", "unterminated-section 2",
            ])
    }

    @Test(
        "a block with a mistake is one mistake: what stands in it is not read as keys",
        arguments: [
            ("[s]\nk = \"\"\"\n-----BEGIN KEY-----\nProc-Type: 4\nMIIE=\n", ["unterminated-quote 2"]),
            ("[s]\nk = \"\"\"\n \\q\na: b\n\"\"\"\nz\n", ["unknown-escape 3", "missing-equals 6"]),
            ("[s]\nk = \"\"\"\na: b\n\"\"\" x\nz\n", ["text-after-quote 4", "missing-equals 5"]),
        ])
    func refusedBlock(text: String, expected: [String]) {
        #expect(problems(text).map { "\($0.code.rawValue) \($0.start.line)" } == expected)
    }

    @Test(
        "the carets stand under the mistake, no further",
        arguments: [
            ("[s]\na.b  = 1\n", 2, 1, 4), ("[s]\nk = \"\\é\"\n", 2, 6, 8), ("[s]\nk = \"\"\"a\\\nb\"\"\"\n", 2, 9, 10),
            ("[s]\nk = \"\\u{zz}\"\n", 2, 6, 12), ("[s]\n!include x\n", 2, 1, 11),
        ])
    func carets(text: String, line: Int, start: Int, end: Int) {
        #expect(problems(text).first?.start == Place(line: line, column: start))
        #expect(problems(text).first?.end == Place(line: line, column: end))
    }

    @Test(
        "corners of the dialect",
        arguments: [
            ("[s] # c\nk = 1\n", "1"), ("[s]\nk =# x\n", "# x"), ("\t[s]\t\n\tk\t=\ta\tb\t\n", "a\tb"),
            ("[s]\nk = \"\"\"one line\"\"\"\n", "one line"), ("[s]\nk = \"\"\"\"\"\"\n", ""), ("[s]\nk = \"\"\"\n\"\"\"\n", ""),
            ("[s]\nk = \"\"\"\n\n\"\"\"\n", "\n"), ("[s]\r\nk = \"\"\"\r\n\ta\r\n\t b\r\n\t\"\"\"\r\n", "a\r\n b\r\n"),
            ("[s]\nk = \"\"\"a\n  b\"\"\"\n", "a\nb"), ("[s]\nk = \"\"\"\n  a\\n\\tb\n  c\"\"\" ; x\n", "a\n\tb\nc"),
            ("[s]\nk = it\"s 5\"\n", "it\"s 5\""), ("[s]\nk = = \n", "="), ("[s]\nk='a' # b", "a"), ("[s]\nk = \"\" # b", ""),
            ("[s]\nk = 1\r", "1"), ("[s]\nk = \\n\n", "\\n"),
        ])
    func corners(text: String, expected: String) throws {
        let document = try Document(parsing: Array(text.utf8), name: "x")
        #expect(document.text(of: document.entries[0]) == expected)
    }

    /// The rule in words, over strings: no first line when it is blank, no indentation that all others share.
    func plainBlock(_ inside: String) -> String {
        var lines = inside.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.count > 1 else { return inside }
        let first = lines.removeFirst()
        func isBlank(_ line: String) -> Bool { line.allSatisfy { $0 == " " } }
        func indentation(_ line: String) -> Int { line.prefix { $0 == " " }.count }
        let shared =
            lines.enumerated().filter { $0.offset == lines.count - 1 || !isBlank($0.element) }.map { indentation($0.element) }.min() ?? 0
        lines = lines.map { String($0.dropFirst(min(shared, indentation($0)))) }
        return ((isBlank(first) ? [] : [first]) + lines).joined(separator: "\n")
    }

    @Test("blocks read as the rule says", arguments: 0..<500)
    func blocks(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let inside = String(
            (0..<Int.random(in: 0...20, using: &generator)).map { _ in Array("  ab\n\n").randomElement(using: &generator) ?? "a" })
        let document = try Document(parsing: Array("[s]\nk = \"\"\"\(inside)\"\"\"\n".utf8), name: "x")
        #expect(document.text(of: document.entries[0]) == plainBlock(inside))
        #expect(document.fragments(of: document.entries[0]).allSatisfy { $0.isVerbatim && !$0.text.isEmpty })
    }

    @Test("escapes that follow each other are one piece")
    func mergedEscapes() throws {
        let value = try ValueText(parsing: #""\n\t\u{24}{A}\\""#)
        #expect(value.fragments.map(\.text) == ["\n\t$", "{A}", "\\"])
        #expect(value.fragments.map(\.offset) == [1, 11, 14])
    }

    // MARK: - Text that is written

    @Test(
        "a brace with a combining mark still makes a substitution, so it is written as text",
        arguments: ["${\u{301}A}", "a$${\u{301}", "$\u{301}{x}", "{${{"])
    func combiningMarks(text: String) throws {
        let written = ValueText.quoted(text)
        let read = try ValueText(parsing: written).fragments.map(\.text).joined()
        // What substitution makes of it, by bytes: `$${` is `${`, and no `${` is left.
        var bytes = Array(read.utf8)[...], plain: [UInt8] = []
        while let first = bytes.first {
            if bytes.starts(with: Array("$${".utf8)) {
                plain += Array("${".utf8)
                bytes = bytes.dropFirst(3)
            } else {
                #expect(!bytes.starts(with: Array("${".utf8)) || !written.hasPrefix("$"))
                plain.append(first)
                bytes = bytes.dropFirst()
            }
        }
        #expect(plain == Array(text.utf8))
        #expect(ValueText.literalItems("a,\u{301}b") == ["a", "\u{301}b"])
    }

    @Test("places in a value that somebody wrote outside a document count from its start")
    func valuePlaces() {
        #expect {
            try ValueText(parsing: "a\u{0}")
        } throws: { ($0 as? SyntaxErrors)?.problems.map(\.start) == [Place(line: 1, column: 2)] }
        #expect {
            try ValueText(parsing: "\"é\" x")
        } throws: { ($0 as? SyntaxErrors)?.problems.map { [$0.start.column, $0.end.column, Int($0.range.start)] } == [[5, 6, 5]] }
    }
}
