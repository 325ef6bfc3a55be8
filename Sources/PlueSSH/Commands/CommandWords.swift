/// Splits a command line into words, as a shell does, and nothing more: there is no shell behind it.
///
/// Blanks separate. `'…'` is literal; in `"…"` a backslash keeps `"` and `\`; elsewhere it keeps any character. `$`, `*`, `~` mean
/// nothing. A word of nothing but `| & ; < >` would mean something to a shell, so it is refused rather than passed on.
enum CommandWords {
    /// What is wrong with a line.
    struct Problem: Error, Hashable { let text: String }

    private static let mostWords = 1024

    static func split(_ line: String) throws(Problem) -> [String] {
        var words: [String] = []
        // A word that has begun, also an empty one in quotes.
        var word: String?
        var isPlain = true
        var rest = line.unicodeScalars[...]

        func end() throws(Problem) {
            guard let finished = word else { return }
            if isPlain, finished.allSatisfy({ "|&;<>".contains($0) }) {
                throw Problem(text: "'\(finished)' means nothing here, where there is no shell; put it in quotes to pass it on")
            }
            guard words.count < mostWords else { throw Problem(text: "there are more than \(mostWords) words") }
            words.append(finished)
            word = nil
            isPlain = true
        }

        func keep(_ scalar: Unicode.Scalar) { word = (word ?? "") + String(scalar) }

        while let scalar = rest.popFirst() {
            switch scalar {
            case " ", "\t", "\n", "\r": try end()
            case "'":
                guard let close = rest.firstIndex(of: "'") else { throw Problem(text: "the quote ' is not closed") }
                word = (word ?? "") + String(rest[..<close])
                isPlain = false
                rest = rest[rest.index(after: close)...]
            case "\"":
                isPlain = false
                word = word ?? ""
                while true {
                    guard let next = rest.popFirst() else { throw Problem(text: "the quote \" is not closed") }
                    if next == "\"" { break }
                    if next == "\\", let kept = rest.first, kept == "\"" || kept == "\\" {
                        keep(kept)
                        rest = rest.dropFirst()
                    } else {
                        keep(next)
                    }
                }
            case "\\":
                guard let kept = rest.popFirst() else { throw Problem(text: "the line ends in a backslash that keeps nothing") }
                isPlain = false
                keep(kept)
            default: keep(scalar)
            }
        }
        try end()
        return words
    }
}
