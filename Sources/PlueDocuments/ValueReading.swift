/// Reads values: what the quotes, escapes and commas of one mean.
struct ValueReading {
    private let bytes: UnsafeBufferPointer<UInt8>

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    // MARK: - Where a quoted value ends

    /// Finds the end of a value that starts with a quote, and checks its escapes and what follows it.
    /// - Parameter line: From the quote to the end of the line; a block goes on past it.
    func quoted(_ line: Range<Int>) -> Result<(form: ValueForm, range: Range<Int>), Finding> {
        if isBlockQuote(line.lowerBound) { return block(line) }
        var start = line.lowerBound
        var form: ValueForm = bytes[start] == .quote ? .doubleQuoted : .singleQuoted
        let lastBrace = lastBrace(line)
        while true {
            let end: Int
            if start < line.upperBound, bytes[start] == .quote || bytes[start] == .apostrophe {
                switch closingQuote(start..<line.upperBound) {
                case .success(let past): end = past
                case .failure(let finding): return .failure(finding)
                }
            } else {
                // A bare item of the list; like a bare value it takes all up to the next comma, `#` included.
                end = itemEnd(start..<line.upperBound, lastBrace)
                guard end < line.upperBound else { return .success((.list, line.lowerBound..<trimEnd(start..<end))) }
            }
            var rest = end
            while rest < line.upperBound, bytes[rest].isSpace { rest += 1 }
            if rest == line.upperBound || bytes[rest].startsComment { return .success((form, line.lowerBound..<end)) }
            guard bytes[rest] == .comma else {
                return .failure(
                    Finding(
                        .textAfterQuote, rest..<line.upperBound, "there is text after the closing quote",
                        label: "expected a comment, a comma or the end of the line",
                        hint: "write the quote inside the value as \\\", or quote none of it"))
            }
            form = .list
            start = rest + 1
            while start < line.upperBound, bytes[start].isSpace { start += 1 }
            if start == line.upperBound {
                return .failure(
                    Finding(
                        .emptyItem, rest..<rest + 1, "the list ends with a comma", label: "nothing after it", hint: "take the comma away"))
            }
        }
    }

    private func isBlockQuote(_ index: Int) -> Bool {
        index + 2 < bytes.count && bytes[index] == .quote && bytes[index + 1] == .quote && bytes[index + 2] == .quote
    }

    /// Where the text after the closing quote starts.
    private func closingQuote(_ range: Range<Int>) -> Result<Int, Finding> {
        let quote = bytes[range.lowerBound]
        var index = range.lowerBound + 1
        while index < range.upperBound {
            if bytes[index] == quote { return .success(index + 1) }
            if quote == .quote, bytes[index] == .backslash {
                switch escape(at: index, before: range.upperBound) {
                case .success(let escape): index = escape.next
                case .failure(let finding): return .failure(finding)
                }
            } else {
                index += 1
            }
        }
        return .failure(
            Finding(
                .unterminatedQuote, range.lowerBound..<range.lowerBound + 1, "the quote is not closed on its line",
                label: "opened here",
                hint: quote == .quote
                    ? "close it, or use \"\"\" for several lines" : "close it, or write \"…\" around a value that begins with an apostrophe"
            ))
    }

    private func block(_ line: Range<Int>) -> Result<(form: ValueForm, range: Range<Int>), Finding> {
        var index = line.lowerBound + 3
        while index < bytes.count {
            if isBlockQuote(index) {
                let end = index + 3
                var rest = end
                while rest < bytes.count, bytes[rest].isSpace { rest += 1 }
                if rest == bytes.count || bytes[rest] == .newline || bytes[rest] == .carriageReturn || bytes[rest].startsComment {
                    return .success((.block, line.lowerBound..<end))
                }
                return .failure(
                    Finding(
                        .textAfterQuote, rest..<rest + 1, "there is text after the closing quotes",
                        label: "expected a comment or the end of the line"))
            }
            if bytes[index] == .backslash {
                switch escape(at: index, before: bytes.count) {
                case .success(let escape): index = escape.next
                case .failure(let finding): return .failure(finding)
                }
            } else {
                index += 1
            }
        }
        return .failure(
            Finding(
                .unterminatedQuote, line.lowerBound..<line.lowerBound + 3, "the \"\"\" is not closed", label: "opened here",
                hint: "close it with \"\"\""))
    }

    /// Where a block value that has a mistake ends: past its closing quotes, or with the text; `nil` for any other value.
    func endOfBlock(_ start: Int) -> Int? {
        guard isBlockQuote(start) else { return nil }
        var index = start + 3
        while index < bytes.count, !isBlockQuote(index) { index += bytes[index] == .backslash ? 2 : 1 }
        return min(index + 3, bytes.count)
    }

    // MARK: - Escapes

    private func escape(at index: Int, before end: Int) -> Result<(text: String, next: Int), Finding> {
        func unknown(_ past: Int) -> Result<(text: String, next: Int), Finding> {
            .failure(
                Finding(
                    .unknownEscape, index..<min(max(past, index + 1), end), "the escape is not known",
                    label: "expected \\\" \\\\ \\n \\r \\t \\0 or \\u{…}",
                    hint: "write \\\\ for a backslash, or use '…', where nothing is escaped"))
        }
        guard index + 1 < end else { return unknown(index + 1) }
        switch bytes[index + 1] {
        case .quote: return .success(("\"", index + 2))
        case .backslash: return .success(("\\", index + 2))
        case UInt8(ascii: "n"): return .success(("\n", index + 2))
        case UInt8(ascii: "r"): return .success(("\r", index + 2))
        case UInt8(ascii: "t"): return .success(("\t", index + 2))
        case UInt8(ascii: "0"): return .success(("\0", index + 2))
        case UInt8(ascii: "u"):
            guard index + 2 < end, bytes[index + 2] == UInt8(ascii: "{") else { return unknown(index + 2) }
            // At most eight digits: no scalar needs more, and a value must not make this loop long.
            let digits = bytes[(index + 3)..<min(index + 11, end)].prefix { $0 != UInt8(ascii: "}") }
            let close = index + 3 + digits.count
            guard close < end, bytes[close] == UInt8(ascii: "}"),
                digits.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let number = UInt32(String(decoding: digits, as: UTF8.self), radix: 16), let scalar = Unicode.Scalar(number)
            else { return unknown(close + 1) }
            return .success((String(Character(scalar)), close + 1))
        default:
            // A whole scalar, and never the end of the line.
            var past = bytes[index + 1] == .newline || bytes[index + 1] == .carriageReturn ? index + 1 : index + 2
            while past < end, bytes[past] & 0xC0 == 0x80 { past += 1 }
            return unknown(past)
        }
    }

    // MARK: - One value

    /// The pieces of a value that parsed.
    func fragments(_ range: Range<Int>, _ form: ValueForm) -> [Fragment] {
        switch form {
        case .bare, .list: return range.isEmpty ? [] : [verbatim(range)]
        case .singleQuoted: return literal(inside(range, by: 1))
        case .doubleQuoted: return escaped(inside(range, by: 1))
        case .block: return blockFragments(inside(range, by: 3))
        }
    }

    private func inside(_ range: Range<Int>, by quotes: Int) -> Range<Int> {
        let start = min(range.lowerBound + quotes, range.upperBound)
        return start..<max(start, range.upperBound - quotes)
    }

    private func verbatim(_ range: Range<Int>) -> Fragment {
        Fragment(text: text(range), offset: range.lowerBound, isVerbatim: true)
    }

    private func literal(_ range: Range<Int>) -> [Fragment] {
        range.isEmpty ? [] : [Fragment(text: text(range), offset: range.lowerBound, isVerbatim: false)]
    }

    private func escaped(_ range: Range<Int>) -> [Fragment] {
        var fragments: [Fragment] = []
        var start = range.lowerBound
        var index = start
        while index < range.upperBound {
            guard bytes[index] == .backslash, case .success(let escape) = escape(at: index, before: range.upperBound) else {
                index += 1
                continue
            }
            if start < index { fragments.append(verbatim(start..<index)) }
            // Escapes that follow each other are one piece: a piece takes many times the bytes of an escape.
            let first = index
            var text = escape.text
            index = escape.next
            while index < range.upperBound, bytes[index] == .backslash,
                case .success(let next) = self.escape(at: index, before: range.upperBound)
            {
                text += next.text
                index = next.next
            }
            fragments.append(Fragment(text: text, offset: first, isVerbatim: false))
            start = index
        }
        if start < range.upperBound { fragments.append(verbatim(start..<range.upperBound)) }
        return fragments
    }

    /// The lines of a block without the first newline and without the indentation they share.
    private func blockFragments(_ range: Range<Int>) -> [Fragment] {
        // What follows the opening quotes on their own line is dropped when it is blank, and never indented.
        let opening = blockLine(range.lowerBound, range)
        guard bytes[opening].last == .newline else { return escaped(opening) }
        var fragments = isBlank(opening) ? [] : escaped(opening)
        // The closing quotes' own line counts for the indentation, so that moving them moves the text.
        var indentation = Int.max
        var start = opening.upperBound
        while true {
            let line = blockLine(start, range)
            let isLast = line.isEmpty || bytes[line.upperBound - 1] != .newline
            if isLast || !isBlank(line) { indentation = min(indentation, bytes[line].prefix(while: \.isSpace).count) }
            if isLast { break }
            start = line.upperBound
        }
        start = opening.upperBound
        // Lines with nothing to take off are one piece with what follows them.
        var from = start
        while true {
            let line = blockLine(start, range)
            let spaces = min(indentation, bytes[line].prefix(while: \.isSpace).count)
            if spaces > 0 {
                fragments += escaped(from..<start)
                from = start + spaces
            }
            if line.isEmpty || bytes[line.upperBound - 1] != .newline { break }
            start = line.upperBound
        }
        fragments += escaped(from..<range.upperBound)
        return fragments
    }

    /// A line of a block from there on, with its end; empty past the last newline.
    private func blockLine(_ start: Int, _ range: Range<Int>) -> Range<Int> {
        start..<(bytes[start..<range.upperBound].firstIndex(of: .newline).map { $0 + 1 } ?? range.upperBound)
    }

    private func isBlank(_ line: Range<Int>) -> Bool {
        bytes[line].allSatisfy { $0.isSpace || $0 == .newline || $0 == .carriageReturn }
    }

    // MARK: - A list

    /// The items of a value that parsed.
    func items(_ range: Range<Int>, _ form: ValueForm) -> Result<[Item], Finding> {
        guard form == .bare || form == .list else {
            return .success([Item(form: form, range: SourceRange(range), fragments: fragments(range, form))])
        }
        guard !range.isEmpty else { return .success([]) }
        var items: [Item] = []
        var start = range.lowerBound
        let lastBrace = lastBrace(range)
        while true {
            while start < range.upperBound, bytes[start].isSpace { start += 1 }
            let quoted = start < range.upperBound && (bytes[start] == .quote || bytes[start] == .apostrophe)
            var end: Int
            if quoted {
                switch closingQuote(start..<range.upperBound) {
                case .success(let past): end = past
                case .failure(let finding): return .failure(finding)
                }
                let form: ValueForm = bytes[start] == .quote ? .doubleQuoted : .singleQuoted
                items.append(Item(form: form, range: SourceRange(start..<end), fragments: fragments(start..<end, form)))
                while end < range.upperBound, bytes[end].isSpace { end += 1 }
                if end < range.upperBound, bytes[end] != .comma {
                    return .failure(
                        Finding(
                            .textAfterQuote, end..<range.upperBound, "there is text after the closing quote of an item",
                            label: "expected a comma or the end of the line"))
                }
            } else {
                end = itemEnd(start..<range.upperBound, lastBrace)
                let item = start..<trimEnd(start..<end)
                guard !item.isEmpty else {
                    let comma = min(end, range.upperBound - 1)
                    return .failure(
                        Finding(
                            .emptyItem, comma..<comma + 1, "an item of the list is missing", label: "nothing beside this comma",
                            hint: "take the comma away, or write \"\" for an empty item"))
                }
                items.append(Item(form: .bare, range: SourceRange(item), fragments: [verbatim(item)]))
            }
            guard end < range.upperBound else { return .success(items) }
            start = end + 1
        }
    }

    /// Where a bare item ends: at the next comma that is not inside `${…}`.
    /// - Parameter lastBrace: Where the value's last `}` is: looking for one past it for every `${` would take quadratic time.
    private func itemEnd(_ range: Range<Int>, _ lastBrace: Int) -> Int {
        var index = range.lowerBound
        while index < range.upperBound {
            if bytes[index] == .comma { return index }
            if bytes[index] == UInt8(ascii: "$"), index < lastBrace, bytes[index + 1] == UInt8(ascii: "{"),
                let close = bytes[index..<range.upperBound].firstIndex(of: UInt8(ascii: "}"))
            {
                index = close
            }
            index += 1
        }
        return range.upperBound
    }

    private func lastBrace(_ range: Range<Int>) -> Int { bytes[range].lastIndex(of: UInt8(ascii: "}")) ?? -1 }

    private func trimEnd(_ range: Range<Int>) -> Int {
        var end = range.upperBound
        while end > range.lowerBound, bytes[end - 1].isSpace { end -= 1 }
        return end
    }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }
}
