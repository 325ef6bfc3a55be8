/// Turns what a terminal sends into lines: shows what is typed, and knows the keys that correct it. Pure, so that it is tested as a
/// script.
///
/// Backspace, ^U (the line), ^W (a word), ^C (the line, and whatever runs), ^D (the end, on an empty line), ^L (the screen), and up
/// and down for what was entered before. Other escape sequences are read and do nothing. The terminal's width is not regarded.
struct LineEditor {
    enum Effect: Equatable {
        /// Bytes for the terminal.
        case show([UInt8])
        /// A line was entered, without its end.
        case line([UInt8])
        case interrupt
        case end
    }

    let prompt: String
    private var line: [UInt8] = []
    private var escape = Escape.none
    private var history: [[UInt8]] = []
    /// Which line of the history is shown; its count for the one that is being written.
    private var place = 0
    private var lastWasReturn = false

    private enum Escape { case none, begun, sequence }

    private static let longestLine = 8192
    private static let longestHistory = 100

    init(prompt: String) { self.prompt = prompt }

    /// What to show where a line may be entered.
    var invitation: [UInt8] { Array(prompt.utf8) }

    mutating func take(_ byte: UInt8) -> [Effect] {
        defer { lastWasReturn = byte == UInt8(ascii: "\r") }
        switch escape {
        case .begun:
            escape = byte == UInt8(ascii: "[") || byte == UInt8(ascii: "O") ? .sequence : .none
            return []
        case .sequence:
            // Parameters come first; the sequence ends with a letter or a tilde.
            guard (0x40...0x7E).contains(byte) else { return [] }
            escape = .none
            return byte == UInt8(ascii: "A") ? recall(place - 1) : byte == UInt8(ascii: "B") ? recall(place + 1) : []
        case .none: return takePlain(byte)
        }
    }

    private mutating func takePlain(_ byte: UInt8) -> [Effect] {
        switch byte {
        case UInt8(ascii: "\n") where lastWasReturn: return []
        case UInt8(ascii: "\r"), UInt8(ascii: "\n"): return enter()
        case 0x7F, 0x08:
            guard !line.isEmpty else { return [] }
            line.removeLastCharacter()
            return [redrawn]
        case 0x03:
            line = []
            place = history.count
            return [.show(Array("^C\r\n".utf8)), .interrupt]
        case 0x04: return line.isEmpty ? [.show(Array("\r\n".utf8)), .end] : []
        case 0x0C: return [.show(Array("\u{1B}[H\u{1B}[2J".utf8)), redrawn]
        case 0x15:
            line = []
            return [redrawn]
        case 0x17:
            while line.last == UInt8(ascii: " ") { line.removeLast() }
            while let last = line.last, last != UInt8(ascii: " ") { line.removeLast() }
            return [redrawn]
        case 0x1B:
            escape = .begun
            return []
        case 0..<0x20: return []
        default:
            guard line.count < Self.longestLine else { return [.show([0x07])] }
            line.append(byte)
            return [.show([byte])]
        }
    }

    private mutating func enter() -> [Effect] {
        defer {
            line = []
            place = history.count
        }
        if !line.isEmpty, history.last != line {
            history.append(line)
            if history.count > Self.longestHistory { history.removeFirst() }
        }
        return [.show(Array("\r\n".utf8)), .line(line)]
    }

    private mutating func recall(_ wanted: Int) -> [Effect] {
        guard (0...history.count).contains(wanted), wanted != place else { return [] }
        place = wanted
        line = wanted == history.count ? [] : history[wanted]
        return [redrawn]
    }

    /// The line anew: to the start, the old away.
    private var redrawn: Effect { .show(Array("\r\u{1B}[K\(prompt)".utf8) + line) }
}

extension [UInt8] {
    /// Removes what shows as one character, or a byte that is part of none.
    fileprivate mutating func removeLastCharacter() {
        guard let text = String(validating: self, as: UTF8.self) else {
            removeLast()
            return
        }
        self = Array(text.dropLast().utf8)
    }
}
