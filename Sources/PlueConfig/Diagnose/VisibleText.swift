/// Text from outside made safe to print: nothing in it moves a cursor, sets a colour or turns the reading direction.
///
/// Control characters become their pictures (`␛`), other invisible ones their number (`\u{202e}`), a tab up to four spaces.
package struct VisibleText {
    /// What is printed for each scalar of the text, and how many columns of a terminal it takes.
    struct Cell {
        let text: String
        let width: Int
    }

    private(set) var cells: [Cell] = []

    /// - Parameter text: One line; a line break inside it is shown as a picture too.
    init(line text: some StringProtocol) {
        var column = 0
        cells.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            let cell = scalar == "\t" ? Cell(spaces: 4 - column % 4) : Cell(scalar)
            cells.append(cell)
            column += cell.width
        }
    }

    /// The text as it is printed.
    package static func of(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || !$0.isASCII || $0.value == 0x7F }) else { return text }
        return VisibleText(line: text).cells.map(\.text).joined()
    }
}

extension VisibleText.Cell {
    fileprivate init(spaces count: Int) {
        self.init(text: String(repeating: " ", count: count), width: count)
    }

    fileprivate init(_ scalar: Unicode.Scalar) {
        switch scalar.value {
        case 0x20..<0x7F: self.init(text: String(scalar), width: 1)
        case 0..<0x20: self.init(picture: 0x2400 + scalar.value)
        case 0x7F: self.init(picture: 0x2421)
        default:
            if scalar.isInvisible {
                let escape = "\\u{\(String(scalar.value, radix: 16))}"
                self.init(text: escape, width: escape.utf8.count)
            } else {
                self.init(text: String(scalar), width: scalar.columns)
            }
        }
    }

    private init(picture value: UInt32) {
        self.init(text: Unicode.Scalar(value).map(String.init) ?? "?", width: 1)
    }
}

extension Unicode.Scalar {
    /// Whether printing it raw could do something besides showing a character: C1 controls, marks that turn the reading
    /// direction, invisible separators. Joiners stay: words and emoji are written with them.
    var isInvisible: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate: true
        case .format: value != 0x200C && value != 0x200D && value != 0xAD
        default: false
        }
    }

    /// How many columns of a terminal it takes.
    fileprivate var columns: Int {
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        case .format: return value == 0xAD ? 1 : 0
        default: break
        }
        if value < 0x1100 { return 1 }
        if properties.isEmojiPresentation { return 2 }
        return Self.wide.contains { $0.contains(value) } ? 2 : 1
    }

    /// East Asian Wide and Fullwidth (UAX #11), in blocks; the standard library does not know the property.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA960...0xA97F,
        0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18DFF,
        0x1AFF0...0x1B2FF, 0x1F200...0x1F2FF, 0x20000...0x3FFFD,
    ]
}
