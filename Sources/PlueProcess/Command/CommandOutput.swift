/// What a program wrote, of which the beginning and the end are kept: in between it may write as much as it likes.
struct CommandOutput: Sendable {
    private var head: [UInt8] = []
    private var tail: [UInt8] = []
    private var omitted = 0

    /// Half of what is kept at most.
    static let half = 32 * 1024

    mutating func append(_ bytes: some Collection<UInt8>) {
        let room = Self.half - head.count
        head += bytes.prefix(room)
        tail += bytes.dropFirst(room)
        // Not at every byte: removing from the front moves the rest.
        if tail.count > 2 * Self.half { cut() }
    }

    private mutating func cut() {
        let excess = tail.count - Self.half
        guard excess > 0 else { return }
        tail.removeFirst(excess)
        omitted += excess
    }

    /// All that is kept, with a line that says what is missing.
    var text: String {
        var whole = self
        whole.cut()
        let gap = whole.omitted > 0 ? "\n… \(whole.omitted) bytes left out …\n" : ""
        return String(decoding: whole.head, as: UTF8.self) + gap + String(decoding: whole.tail, as: UTF8.self)
    }

    /// The last lines, as part of a sentence; empty when there are none.
    func lastLines(_ redaction: Redaction, limit: Int = 600) -> String {
        // Before the lines are cut to size: a piece of a secret would not be recognized.
        let lines = redaction(text).split(whereSeparator: \.isNewline).map { $0.trimmed }.filter { !$0.isEmpty }
        var shown: [Substring] = []
        var size = 0
        for line in lines.reversed() {
            size += line.utf8.count + 2
            if size > limit {
                if shown.isEmpty { shown = [line.suffix(limit)] }
                break
            }
            shown.insert(line, at: 0)
        }
        return shown.joined(separator: "; ")
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        let start = drop(while: \.isWhitespace)
        guard let end = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return start[...end]
    }
}
