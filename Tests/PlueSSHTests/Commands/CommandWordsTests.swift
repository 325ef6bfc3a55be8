import Testing

@testable import PlueSSH

@Suite("A command line's words")
struct CommandWordsTests {
    @Test(
        "blanks separate, quotes and backslashes keep together",
        arguments: [
            ("", []), ("  \t ", []), ("show", ["show"]), (" show  server.port\t", ["show", "server.port"]),
            ("a'b c'd", ["ab cd"]), (#"a"b \"c\" \\ \d"e"#, [#"ab "c" \ \de"#]), (#"a\ b \'c"#, ["a b", "'c"]), ("'' \"\"", ["", ""]),
            ("'$x' $x *", ["$x", "$x", "*"]), ("a#b # c", ["a#b", "#", "c"]), ("'a\nb'\nc", ["a\nb", "c"]), ("Åse 'ø å'", ["Åse", "ø å"]),
            ("a|b x>y", ["a|b", "x>y"]), ("'|' \">\" \\;", ["|", ">", ";"]), ("'a'\"b\"c", ["abc"]),
        ] as [(String, [String])])
    func split(line: String, words: [String]) throws {
        #expect(try CommandWords.split(line) == words)
    }

    @Test(
        "what a shell would wait for, or carry out, is refused",
        arguments: [
            ("say 'x", "the quote ' is not closed"), ("say \"x\\\"", "the quote \" is not closed"),
            ("x\\", "the line ends in a backslash that keeps nothing"),
            ("show | grep x", "'|' means nothing here, where there is no shell; put it in quotes to pass it on"),
            ("a && b", "'&&' means nothing here, where there is no shell; put it in quotes to pass it on"),
            ("a > b", "'>' means nothing here, where there is no shell; put it in quotes to pass it on"),
        ])
    func refused(line: String, problem: String) {
        #expect(throws: CommandWords.Problem(text: problem)) { try CommandWords.split(line) }
    }

    @Test("there may be many words, and not any number")
    func many() throws {
        #expect(try CommandWords.split(String(repeating: "x ", count: 1024)).count == 1024)
        #expect(throws: CommandWords.Problem.self) { try CommandWords.split(String(repeating: "x ", count: 1025)) }
    }
}
