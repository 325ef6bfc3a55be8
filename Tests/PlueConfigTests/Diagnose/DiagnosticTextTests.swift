import Testing

@testable import PlueConfig

@Suite("Diagnostics as text")
struct DiagnosticTextTests {
    private func text(_ diagnostics: Diagnostic..., colour: Bool = false) -> String {
        DiagnosticText(colour: colour).render(diagnostics)
    }

    private func place(
        _ line: Int, _ columns: Range<Int>, _ excerpt: String?, file: String = "config/production.ini"
    ) -> Location {
        Location(file: file, line: line, column: columns.lowerBound, endLine: line, endColumn: columns.upperBound, excerpt: excerpt)
    }

    @Test("The example of the design page, to the letter")
    func exampleOfTheDesign() {
        let report = text(
            Diagnostic(
                "range", key: SettingKey("server.port"), at: place(4, 8..<13, "port = 99999"),
                "server.port is 99999, but must be between 1 and 65535", expected: "1...65535", found: "99999",
                related: [.init("overrides 8080 from", at: place(3, 8..<12, nil, file: "config/base.ini"))]),
            Diagnostic(
                "unknown-key", key: SettingKey("server.prot"), at: place(5, 1..<5, "prot = 80"),
                "unknown key 'prot' in [server]", label: "did you mean 'port'?"))
        #expect(
            report == """
                error[range]: server.port is 99999, but must be between 1 and 65535
                  ┌─ config/production.ini:4:8
                4 │ port = 99999
                  │        ^^^^^ expected 1...65535
                  │
                  = overrides 8080 from config/base.ini:3:8
                error[unknown-key]: unknown key 'prot' in [server]
                  ┌─ config/production.ini:5:1
                5 │ prot = 80
                  │ ^^^^ did you mean 'port'?
                2 errors, 0 warnings in config/production.ini
                """)
    }

    @Test("Line numbers of different lengths share one gutter")
    func gutter() {
        let report = text(
            Diagnostic("a", at: place(7, 1..<2, "x = 1"), "first"),
            Diagnostic("b", severity: .warning, at: place(1200, 5..<6, "y = 1"), "second", hint: "take it away"))
        #expect(
            report == """
                error[a]: first
                     ┌─ config/production.ini:7:1
                   7 │ x = 1
                     │ ^
                warning[b]: second
                     ┌─ config/production.ini:1200:5
                1200 │ y = 1
                     │     ^
                     │
                     = hint: take it away
                1 error, 1 warning in config/production.ini
                """)
    }

    @Test("Without an excerpt there is a place and no source; without a place neither")
    func withoutExcerpt() {
        let report = text(
            Diagnostic("a", at: place(7, 1..<2, nil), "first", label: "expected less"),
            Diagnostic("b", at: Location(file: "$PLUE__SERVER__PORT", line: 1, column: 1, endLine: 1, endColumn: 1), "second"),
            Diagnostic("required", "server.port is required", expected: "a whole number", hint: "set port"))
        #expect(
            report == """
                error[a]: first
                  ┌─ config/production.ini:7:1
                  = expected less
                error[b]: second
                  ┌─ $PLUE__SERVER__PORT
                error[required]: server.port is required
                  = expected a whole number
                  = hint: set port
                3 errors, 0 warnings in config/production.ini, $PLUE__SERVER__PORT
                """)
    }

    @Test("A related place is named once, in words that fit its message")
    func relatedPlaces() {
        let base = place(3, 8..<12, nil, file: "base.ini")
        #expect(Diagnostic.Related("overrides 8080 from base.ini:3:8", at: base).sentence == "overrides 8080 from base.ini:3:8")
        #expect(Diagnostic.Related("overrides 8080 from", at: base).sentence == "overrides 8080 from base.ini:3:8")
        #expect(Diagnostic.Related("first set here", at: base).sentence == "first set here (base.ini:3:8)")
        #expect(Diagnostic.Related("with server.key", at: nil).sentence == "with server.key")
    }

    @Test(
        "The carets stand under the right columns",
        arguments: [
            // A tab goes to the next multiple of four, in the line and above the caret alike.
            ("a\t= b", 3..<6, "1 │ a   = b", "  │     ^^^"),
            ("\tport = x", 9..<10, "1 │     port = x", "  │            ^"),
            // Wide characters take two columns, combining ones none.
            ("名 = 値段", 5..<7, "1 │ 名 = 値段", "  │      ^^^^"),
            ("e\u{301}t\u{301} = 1", 8..<9, "1 │ e\u{301}t\u{301} = 1", "  │      ^"),
            ("🦎 = 1", 5..<6, "1 │ 🦎 = 1", "  │      ^"),
            // An empty range, and one that lies past a covered line's end, still get a caret.
            ("port =", 7..<7, "1 │ port =", "  │       ^"),
            ("password = ••••••", 40..<60, "1 │ password = ••••••", "  │                  ^"),
            ("", 1..<1, "1 │", "  │ ^"),
        ])
    func columns(excerpt: String, columns: Range<Int>, line: String, carets: String) {
        let lines = text(Diagnostic("x", at: place(1, columns, excerpt), "m")).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[2] == line)
        #expect(lines[3] == carets)
    }

    @Test("A range over several lines is marked to the end of its first")
    func severalLines() {
        let location = Location(file: "f", line: 2, column: 5, endLine: 4, endColumn: 2, excerpt: "k = \"\"\"abc")
        let lines = text(Diagnostic("x", at: location, "m")).split(separator: "\n")
        #expect(lines[3] == "  │     ^^^^^^")
    }

    @Test("A very long line is cut around the column")
    func longLine() {
        let excerpt = String(repeating: "a", count: 300) + "HERE" + String(repeating: "b", count: 300)
        let lines = text(Diagnostic("x", at: place(1, 301..<305, excerpt), "m", label: "this")).split(separator: "\n")
        #expect(lines[2] == "1 │ …\(String(repeating: "a", count: 40))HERE\(String(repeating: "b", count: 76))…")
        #expect(lines[3] == "  │ \(String(repeating: " ", count: 41))^^^^ this")
        let all = text(Diagnostic("x", at: place(1, 1..<605, excerpt), "m")).split(separator: "\n")
        #expect(all[2] == "1 │ \(String(repeating: "a", count: 120))…")
        #expect(all[3] == "  │ \(String(repeating: "^", count: 120))")
    }

    @Test("Nothing from a document reaches the terminal raw")
    func controlCharacters() {
        let evil = "a\u{1B}[2J\r\n\u{7}\u{9B}31m\u{202E}\u{7F}"
        let report = text(
            Diagnostic(
                "x", at: place(1, 2..<3, evil, file: evil), evil, label: evil, hint: evil,
                related: [.init(evil, at: place(1, 1..<2, nil, file: evil))]))
        #expect(report.unicodeScalars.allSatisfy { $0 == "\n" || !($0.properties.generalCategory == .control || $0 == "\u{202E}") })
        #expect(report.hasPrefix("error[x]: a␛[2J␍␊␇\\u{9b}31m\\u{202e}␡\n"))
        #expect(report.split(separator: "\n").count == 8)
    }

    @Test("Many files are counted, not listed")
    func manyFiles() {
        let diagnostics = (1...5).map { Diagnostic("x", at: place(1, 1..<2, nil, file: "\($0).ini"), "m") }
        #expect(DiagnosticText(colour: false).summary(diagnostics) == "5 errors, 0 warnings in 5 files")
        #expect(DiagnosticText(colour: false).summary([Diagnostic("x", "m")]) == "1 error, 0 warnings")
        #expect(DiagnosticText(colour: false).render([]) == "")
    }

    @Test("Colours come only when asked for, and without them the text is the same")
    func colours() {
        let diagnostic = Diagnostic("x", severity: .warning, at: place(1, 1..<2, "k"), "m", hint: "h")
        let coloured = text(diagnostic, colour: true)
        #expect(coloured.hasPrefix("\u{1B}[1;33mwarning[x]\u{1B}[0m\u{1B}[1m: m\u{1B}[0m\n"))
        #expect(coloured.replacing(/\u{1B}\[[0-9;]*m/, with: "") == text(diagnostic))
    }
}
