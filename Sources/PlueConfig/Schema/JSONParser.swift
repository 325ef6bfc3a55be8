import OrderedCollections

/// Reads JSON bytes from left to right; one problem ends it.
struct JSONParser {
    private let bytes: [UInt8]
    private var index = 0
    private var depth = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        // RFC 8259 lets a reader ignore a byte order mark.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    }

    mutating func document() throws(JSONText.Problem) -> JSONText.Node {
        if let problem = firstInvalidUTF8 {
            throw JSONText.Problem(message: "the text is not UTF-8 here", range: problem..<problem + 1)
        }
        let node = try value()
        skipSpace()
        guard index == bytes.count else { throw problem("there is text after the document's end", index..<index + 1) }
        return node
    }

    private var firstInvalidUTF8: Int? {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var offset = 0
        while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar): offset += UTF8.width(scalar)
            case .emptyInput: return nil
            case .error: return offset
            }
        }
    }

    private mutating func value() throws(JSONText.Problem) -> JSONText.Node {
        skipSpace()
        let start = index
        guard index < bytes.count else { throw problem("the document ends where a value should stand", index..<index) }
        switch bytes[index] {
        case UInt8(ascii: "{"): return try nested { (parser) throws(JSONText.Problem) in .object(try parser.members()) }
        case UInt8(ascii: "["): return try nested { (parser) throws(JSONText.Problem) in .array(try parser.items()) }
        case UInt8(ascii: "\""): return JSONText.Node(content: .string(try string()), range: start..<index)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default:
            if take("true") { return JSONText.Node(content: .boolean(true), range: start..<index) }
            if take("false") { return JSONText.Node(content: .boolean(false), range: start..<index) }
            if take("null") { return JSONText.Node(content: .null, range: start..<index) }
            if bytes[index] == 0 { throw problem("the document holds a NUL byte", start..<start + 1) }
            throw problem(
                "a value cannot start here", start..<start + 1,
                hint:
                    "JSON has objects, arrays, \"strings\", numbers, true, false and null; no comments, and no comma before a closing bracket"
            )
        }
    }

    private mutating func nested(
        _ content: (inout JSONParser) throws(JSONText.Problem) -> JSONText.Node.Content
    ) throws(JSONText.Problem) -> JSONText.Node {
        let start = index
        guard depth < JSONText.deepest else {
            throw JSONText.Problem(
                code: "json-too-deep", message: "the document is nested more than \(JSONText.deepest) levels deep", range: start..<start + 1
            )
        }
        depth += 1
        index += 1
        let content = try content(&self)
        depth -= 1
        return JSONText.Node(content: content, range: start..<index)
    }

    private mutating func items() throws(JSONText.Problem) -> [JSONText.Node] {
        var items: [JSONText.Node] = []
        skipSpace()
        if takeByte("]") { return items }
        repeat {
            items.append(try value())
            skipSpace()
        } while takeByte(",")
        guard takeByte("]") else { throw expected("',' or ']'") }
        return items
    }

    private mutating func members() throws(JSONText.Problem) -> OrderedDictionary<String, JSONText.Member> {
        var members: OrderedDictionary<String, JSONText.Member> = [:]
        skipSpace()
        if takeByte("}") { return members }
        repeat {
            skipSpace()
            let start = index
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { throw expected("a name in double quotes") }
            let name = try string()
            let nameRange = start..<index
            if let first = members[name] {
                throw JSONText.Problem(
                    code: "duplicate-member", message: "this name stands twice in one object", range: nameRange, first: first.nameRange)
            }
            skipSpace()
            guard takeByte(":") else { throw expected("':'") }
            members[name] = JSONText.Member(nameRange: nameRange, value: try value())
            skipSpace()
        } while takeByte(",")
        guard takeByte("}") else { throw expected("',' or '}'") }
        return members
    }

    // MARK: - Strings

    private mutating func string() throws(JSONText.Problem) -> String {
        let start = index
        index += 1
        var scalars = String.UnicodeScalarView()
        var runStart = index
        func run(_ end: Int) -> String.UnicodeScalarView { String(decoding: bytes[runStart..<end], as: UTF8.self).unicodeScalars }
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                scalars.append(contentsOf: run(index))
                index += 1
                return String(scalars)
            case UInt8(ascii: "\\"):
                scalars.append(contentsOf: run(index))
                scalars.append(try escape())
                runStart = index
            case 0..<0x20:
                throw problem(
                    "a control character in a string must be escaped", index..<index + 1,
                    hint: "a string ends on its line; write \\n for a line break")
            default: index += 1
            }
        }
        throw problem("the string is not closed", start..<start + 1)
    }

    private mutating func escape() throws(JSONText.Problem) -> Unicode.Scalar {
        let start = index
        index += 1
        guard index < bytes.count else { throw problem("the string is not closed", start..<start + 1) }
        let letter = bytes[index]
        index += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            guard let unit = codeUnit() else { break }
            if let scalar = Unicode.Scalar(unit) { return scalar }
            guard UTF16.isLeadSurrogate(unit), take("\\u"), let trail = codeUnit(), UTF16.isTrailSurrogate(trail) else {
                throw problem("half of a surrogate pair is not a character", start..<index)
            }
            return UTF16.decode(UTF16.EncodedScalar([unit, trail]))
        default: break
        }
        throw problem("the escape is not known", start..<index, hint: "JSON has \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u0000")
    }

    private mutating func codeUnit() -> UInt16? {
        let digits = bytes[index..<min(index + 4, bytes.count)].prefix {
            UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0 | 0x20
        }
        guard digits.count == 4 else { return nil }
        index += 4
        return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    // MARK: - Numbers

    /// It is JSON, and still cannot be kept as it is.
    private func tooLarge(_ message: String, _ range: Range<Int>) -> JSONText.Problem {
        JSONText.Problem(code: "json-number", message: message, range: range)
    }

    private mutating func number() throws(JSONText.Problem) -> JSONText.Node {
        let start = index
        var isWhole = true
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        let whole = digits()
        guard whole == 1 || (whole > 1 && bytes[index - whole] != UInt8(ascii: "0")) else {
            throw problem(
                "this is not a number", start..<max(index, start + 1), hint: "a number starts with a digit other than a superfluous 0")
        }
        if takeByte(".") {
            isWhole = false
            guard digits() > 0 else { throw problem("digits are missing after the point", start..<index) }
        }
        if takeByte("e") || takeByte("E") {
            isWhole = false
            if !takeByte("+") { _ = takeByte("-") }
            guard digits() > 0 else { throw problem("the exponent has no digits", start..<index) }
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isWhole {
            guard let number = Int(text) else { throw tooLarge("the whole number needs more than 64 bits", start..<index) }
            return JSONText.Node(content: .integer(number), range: start..<index)
        }
        guard let number = Double(text), number.isFinite else { throw tooLarge("the number is too large", start..<index) }
        return JSONText.Node(content: .number(number), range: start..<index)
    }

    /// How many digits follow.
    private mutating func digits() -> Int {
        let start = index
        while index < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[index] { index += 1 }
        return index - start
    }

    // MARK: - Bytes

    private mutating func skipSpace() {
        while index < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[index]) { index += 1 }
    }

    private mutating func takeByte(_ character: Unicode.Scalar) -> Bool {
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func take(_ word: String) -> Bool {
        guard bytes[index...].starts(with: word.utf8) else { return false }
        index += word.utf8.count
        return true
    }

    private func expected(_ what: String) -> JSONText.Problem {
        index < bytes.count
            ? problem("\(what) should stand here", index..<index + 1)
            : problem("the document ends where \(what) should stand", index..<index)
    }

    private func problem(_ message: String, _ range: Range<Int>, hint: String? = nil) -> JSONText.Problem {
        JSONText.Problem(message: message, range: range, hint: hint)
    }
}
