import Testing

@testable import PlueSSH

@Suite("What comes into a shell")
struct ShellInputTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("without a terminal a line is what a line feed ends, and the last what the end ends")
    func plain() {
        var input = ShellInput(prompt: nil)
        #expect(input.invitation == [])
        #expect(input.next() == nil)
        _ = input.take(bytes("one\ntw"), whileRunning: false)
        #expect(input.next() == .run(bytes("one")))
        #expect(input.next() == nil)
        _ = input.take(bytes("o\n\nthree"), whileRunning: false)
        #expect(input.next() == .run(bytes("two")))
        #expect(input.next() == .run([]))
        #expect(input.next() == nil)
        input.takeEnd()
        #expect(input.next() == .run(bytes("three")))
        #expect(input.next() == .end)
        #expect(input.room == 0)
    }

    @Test("it keeps so much and no more; a line that is longer is taken in parts")
    func bounded() {
        var input = ShellInput(prompt: nil)
        _ = input.take([UInt8](repeating: 0x61, count: ShellInput.capacity - 1), whileRunning: true)
        #expect(input.room == 1)
        _ = input.take(bytes("bcd"), whileRunning: true)
        #expect(input.room == 0)
        guard case .run(let line) = input.next() else { return #expect(Bool(false), "no line") }
        #expect(line.count == ShellInput.capacity)
        #expect(line.last == UInt8(ascii: "b"))
        #expect(input.room == ShellInput.capacity)
    }

    @Test("on a terminal ^C interrupts what runs, and what was typed before it is void")
    func interrupts() {
        var input = ShellInput(prompt: "> ")
        #expect(input.invitation == bytes("> "))
        #expect(input.take(bytes("say x\r"), whileRunning: true) == false)
        #expect(input.take(bytes("\u{3}y\r"), whileRunning: true) == true)
        #expect(input.next() == .show(bytes("y")))
        #expect(input.next() == .show(bytes("\r\n")))
        #expect(input.next() == .run(bytes("y")))
        #expect(input.take(bytes("\u{3}"), whileRunning: false) == false)
        #expect(input.next() == .show(bytes("^C\r\n")))
        #expect(input.next() == .interrupted)
        _ = input.take(bytes("\u{4}"), whileRunning: false)
        #expect(input.next() == .show(bytes("\r\n")))
        #expect(input.next() == .end)
    }

    @Test("without a terminal ^C is a character like others")
    func notInterrupting() {
        var input = ShellInput(prompt: nil)
        #expect(input.take(bytes("a\u{3}b\n"), whileRunning: true) == false)
        #expect(input.next() == .run(bytes("a\u{3}b")))
    }
}
