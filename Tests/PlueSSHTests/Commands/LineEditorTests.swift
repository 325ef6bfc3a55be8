import Testing

@testable import PlueSSH

@Suite("A line on a terminal")
struct LineEditorTests {
    /// What is shown, and what comes of it, for keys typed one after another.
    private func type(_ keys: String, into editor: inout LineEditor) -> (shown: String, results: [LineEditor.Effect]) {
        var (shown, results): ([UInt8], [LineEditor.Effect]) = ([], [])
        for byte in keys.utf8 {
            for effect in editor.take(byte) {
                if case .show(let bytes) = effect { shown += bytes } else { results.append(effect) }
            }
        }
        return (String(decoding: shown, as: UTF8.self), results)
    }

    private func results(_ keys: String) -> [LineEditor.Effect] {
        var editor = LineEditor(prompt: "> ")
        return type(keys, into: &editor).results
    }

    private func line(_ text: String) -> LineEditor.Effect { .line(Array(text.utf8)) }

    @Test("what is typed is shown, and entered with either line end")
    func types() {
        var editor = LineEditor(prompt: "> ")
        let typed = type("show\r", into: &editor)
        #expect(typed.shown == "show\r\n")
        #expect(typed.results == [line("show")])
        #expect(results("a\nb\r\nc\r\r") == [line("a"), line("b"), line("c"), line("")])
    }

    @Test("backspace takes a character, however many bytes it has; ^W a word; ^U all of it")
    func corrects() {
        #expect(results("ab\u{7F}c\u{8}d\r") == [line("ad")])
        #expect(results("\u{7F}\u{7F}a\r") == [line("a")])
        #expect(results("aå👍🏽\u{7F}\u{7F}b\r") == [line("ab")])
        #expect(results("one two  \u{17}x\r") == [line("one x")])
        #expect(results("one\u{17}\u{17}x\r") == [line("x")])
        #expect(results("one two\u{15}x\r") == [line("x")])
        var editor = LineEditor(prompt: "> ")
        #expect(type("ab\u{7F}", into: &editor).shown == "ab\r\u{1B}[K> a")
    }

    @Test("^C gives the line up, ^D ends on an empty one and does nothing on another")
    func ends() {
        #expect(results("half\u{3}x\r") == [.interrupt, line("x")])
        #expect(results("\u{4}") == [.end])
        #expect(results("x\u{4}\r") == [line("x")])
    }

    @Test("up and down find what was entered before; other escape sequences and controls do nothing")
    func recalls() {
        #expect(results("one\rtwo\r\u{1B}[A\u{1B}[A\r") == [line("one"), line("two"), line("one")])
        #expect(results("one\rtwo\r\u{1B}[A\u{1B}[A\u{1B}[A\u{1B}OB\r") == [line("one"), line("two"), line("two")])
        #expect(results("one\r\u{1B}[A\u{1B}[Bnew\r") == [line("one"), line("new")])
        #expect(results("a\u{1B}[3~b\u{1B}[1;5Cc\u{1B}xd\u{1}\u{2}\te\r") == [line("abcde")])
        // The same again is kept once, an empty line not at all.
        #expect(results("one\rone\r\r\u{1B}[A\u{1B}[A\r").last == line("one"))
    }

    @Test("a line has an end, and the bell rings there")
    func longest() {
        var editor = LineEditor(prompt: "> ")
        _ = type(String(repeating: "x", count: 8192), into: &editor)
        #expect(type("y", into: &editor).shown == "\u{7}")
        #expect(type("\r", into: &editor).results == [line(String(repeating: "x", count: 8192))])
    }
}
