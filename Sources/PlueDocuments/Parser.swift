#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// One pass over a document's bytes. Every index is compared with the bytes' count before it is used.
struct Parser {
    private let limits: Document.Limits
    private(set) var sections: [Document.Section] = []
    private(set) var entries = ContiguousArray<Document.Entry>()
    private(set) var lineStarts: [UInt32] = []
    private(set) var findings: [Finding] = []

    /// The section that a header opens; `nil` before the first one, and after one with a mistake.
    private var open: (name: String, header: Range<Int>, nameRange: Range<Int>, firstEntry: Int)?
    /// After a header with a mistake: its keys are not reported as standing outside of any section.
    private var isHeaderRefused = false
    /// A number for each section name, so that keys of a reopened section are compared with those it had.
    private var sectionNumbers: [String: UInt64] = [:]
    private var keys = KeyTable()

    /// A file full of mistakes is reported up to here.
    private static let mostFindings = 1000

    init(limits: Document.Limits) { self.limits = limits }

    mutating func parse(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard bytes.count <= limits.maxBytes, bytes.count <= Int(UInt32.max) else {
            findings.append(
                Finding(
                    .fileTooLarge, 0..<0, "the file has \(bytes.count) bytes, more than \(limits.maxBytes)", hint: "split it into drop-ins")
            )
            return
        }
        guard checkEncoding(bytes) else { return }
        lineStarts.reserveCapacity(bytes.count / 24)
        entries.reserveCapacity(min(bytes.count / 24, limits.maxKeys))
        var start = bytes.startsWithByteOrderMark ? 3 : 0
        lineStarts.append(UInt32(truncatingIfNeeded: start))
        while start < bytes.count, findings.count < Self.mostFindings {
            start = parseLine(bytes, from: start)
            if start < bytes.count || bytes.last == .newline { lineStarts.append(UInt32(truncatingIfNeeded: start)) }
        }
        closeSection()
    }

    // MARK: - The whole text

    private mutating func checkEncoding(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            findings.append(Finding(.otherEncoding, 0..<2, "the file is UTF-16, not UTF-8", hint: "save it as UTF-8"))
            return false
        }
        if let nul = bytes.firstIndex(of: 0) {
            findings.append(
                Finding(.nulByte, nul..<nul + 1, "the file has a NUL byte, so it is not text", label: "NUL", hint: "save it as UTF-8 text"))
            return false
        }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            let place = firstInvalid(bytes)
            findings.append(
                Finding(
                    .invalidUTF8, place..<place + 1, "the file is not valid UTF-8", label: "this byte belongs to another encoding",
                    hint: "save it as UTF-8"))
            return false
        }
        // Anywhere, comments and quotes included: with CR alone as its line end, a file that starts with a comment would be
        // one comment, and silently all defaults.
        if let stray = firstStrayCarriageReturn(bytes) {
            findings.append(
                Finding(
                    .carriageReturn, stray..<stray + 1, "there is a carriage return inside the line", label: "CR without LF",
                    hint: "save the file with LF or CRLF line ends; inside \"…\" it is written \\r"))
            return false
        }
        return true
    }

    /// The last byte is no stray one: it may be half of a CRLF.
    private func firstStrayCarriageReturn(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        var start = 0
        while start < bytes.count, let found = memchr(base + start, Int32(UInt8.carriageReturn), bytes.count - start) {
            let index = UnsafeRawPointer(found) - UnsafeRawPointer(base)
            if index + 1 < bytes.count, bytes[index + 1] != .newline { return index }
            start = index + 1
        }
        return nil
    }

    private func firstInvalid(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var iterator = bytes.makeIterator()
        var decoder = UTF8()
        var index = 0
        while case .scalarValue(let scalar) = decoder.decode(&iterator) { index += UTF8.width(scalar) }
        return min(index, max(0, bytes.count - 1))
    }

    // MARK: - Lines

    /// Parses the line, or the several that a block value takes, and returns where the next one starts.
    private mutating func parseLine(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        let line = lineRange(bytes, from: start)
        guard line.next - start <= limits.maxLineBytes else {
            find(
                .lineTooLong, start..<start + 1, "the line has more than \(limits.maxLineBytes) bytes",
                hint: "divide the value, or use \"\"\"…\"\"\"")
            return line.next
        }
        var index = start
        while index < line.end, bytes[index].isSpace { index += 1 }
        guard index < line.end else { return line.next }
        let first = bytes[index]
        if first.startsComment { return line.next }
        if first == UInt8(ascii: "[") {
            parseHeader(bytes, index..<line.end)
            return line.next
        }
        return parseEntry(bytes, index..<line.end, next: line.next)
    }

    private func lineRange(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> (end: Int, next: Int) {
        guard let base = bytes.baseAddress, start < bytes.count else { return (bytes.count, bytes.count) }
        let found = memchr(base + start, Int32(UInt8.newline), bytes.count - start)
        guard let found else { return (trimCarriageReturn(bytes, start, bytes.count), bytes.count) }
        let newline = UnsafeRawPointer(found) - UnsafeRawPointer(base)
        return (trimCarriageReturn(bytes, start, newline), newline + 1)
    }

    private func trimCarriageReturn(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        end > start && bytes[end - 1] == .carriageReturn ? end - 1 : end
    }

    private mutating func parseHeader(_ bytes: UnsafeBufferPointer<UInt8>, _ line: Range<Int>) {
        closeSection()
        isHeaderRefused = true
        guard let close = bytes[line].firstIndex(of: UInt8(ascii: "]")) else {
            find(.unterminatedSection, line, "the section header is not closed", label: "expected ']'")
            return
        }
        let name = (line.lowerBound + 1)..<close
        var rest = close + 1
        while rest < line.upperBound, bytes[rest].isSpace { rest += 1 }
        if rest < line.upperBound, !bytes[rest].startsComment {
            find(
                .textAfterQuote, rest..<line.upperBound, "there is text after the section header", label: "expected the end of the line",
                hint: "start a new line, or a comment with #")
            return
        }
        let components = bytes[name].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard components.allSatisfy({ isName($0) }) else {
            find(
                .invalidName, name.isEmpty ? line.lowerBound..<close + 1 : name, "the section's name is not valid",
                label: "expected a name such as server or server.tls",
                hint: "names start with a letter or _, and go on with letters, digits, _ and -; dots divide them, spaces are not allowed")
            return
        }
        guard components.count <= limits.maxSectionDepth else {
            find(.sectionTooDeep, name, "the section is \(components.count) levels deep, more than \(limits.maxSectionDepth)")
            return
        }
        guard sections.count < limits.maxKeys else {
            if !findings.contains(where: { $0.code == .tooManySections }) {
                find(.tooManySections, name, "the file has more than \(limits.maxKeys) section headers", hint: "split it into drop-ins")
            }
            return
        }
        isHeaderRefused = false
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[name]), as: UTF8.self)
        let number = sectionNumbers[text] ?? UInt64(sectionNumbers.count + 1)
        sectionNumbers[text] = number
        keys.section = number
        open = (text, line.lowerBound..<close + 1, name, entries.count)
    }

    private mutating func closeSection() {
        guard let section = open else { return }
        sections.append(
            Document.Section(
                name: section.name, header: SourceRange(section.header), nameRange: SourceRange(section.nameRange),
                entries: section.firstEntry..<entries.count))
        open = nil
    }

    private func isName(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        bytes.first?.startsName == true && bytes.allSatisfy(\.continuesName)
    }

    // MARK: - Keys and values

    private mutating func parseEntry(_ bytes: UnsafeBufferPointer<UInt8>, _ line: Range<Int>, next: Int) -> Int {
        var index = line.lowerBound
        if bytes[index].startsName {
            while index < line.upperBound, bytes[index].continuesName { index += 1 }
        }
        let key = line.lowerBound..<index
        while index < line.upperBound, bytes[index].isSpace { index += 1 }
        guard !key.isEmpty, index < line.upperBound, bytes[index] == UInt8(ascii: "=") else {
            reportNoEquals(bytes, line, key, at: index)
            return next
        }
        index += 1
        while index < line.upperBound, bytes[index].isSpace { index += 1 }
        var end = line.upperBound
        while end > index, bytes[end - 1].isSpace { end -= 1 }

        var form = ValueForm.bare
        var next = next
        if index < end, bytes[index] == .quote || bytes[index] == .apostrophe {
            switch ValueReading(bytes).quoted(index..<line.upperBound) {
            case .success(let quoted):
                form = quoted.form
                end = quoted.range.upperBound
                if form == .block { next = addBlockLines(bytes, from: next, to: end) }
            case .failure(let finding):
                add(finding)
                // What is inside a block is no line of its own, even when the block has a mistake.
                return ValueReading(bytes).endOfBlock(index).map { lineRange(bytes, from: $0).next } ?? next
            }
        }
        guard open != nil else {
            if isHeaderRefused { return next }
            find(
                .keyOutsideSection, key, "the key stands before any section", label: "belongs to no section",
                hint: "put a [section] header above it")
            return next
        }
        guard entries.count < limits.maxKeys else {
            if entries.count == limits.maxKeys, !findings.contains(where: { $0.code == .tooManyKeys }) {
                find(.tooManyKeys, key, "the file has more than \(limits.maxKeys) keys", hint: "split it into drop-ins")
            }
            return next
        }
        if let other = keys.insert(entry: entries.count, key: key, in: bytes, entries: entries) {
            let first = entries[other].keyRange.indices
            let name = String(decoding: UnsafeBufferPointer(rebasing: bytes[key]), as: UTF8.self)
            find(
                .duplicateKey, key, "'\(name)' is set twice in [\(open?.name ?? "")]", label: "set again here", hint: "keep one of them",
                related: (first, "first set here"))
            return next
        }
        entries.append(Document.Entry(keyRange: SourceRange(key), valueRange: SourceRange(index..<end), form: form))
        return next
    }

    /// Takes the lines of a block value as seen, and returns where the line after its end starts.
    private mutating func addBlockLines(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int) -> Int {
        var start = start
        while start <= end, start < bytes.count {
            lineStarts.append(UInt32(truncatingIfNeeded: start))
            let line = start
            start = lineRange(bytes, from: start).next
            if start - line > limits.maxLineBytes, findings.last?.code != .lineTooLong {
                find(.lineTooLong, line..<line + 1, "the line has more than \(limits.maxLineBytes) bytes", hint: "divide the value")
            }
        }
        return start
    }

    private mutating func reportNoEquals(_ bytes: UnsafeBufferPointer<UInt8>, _ line: Range<Int>, _ key: Range<Int>, at index: Int) {
        let name = String(decoding: UnsafeBufferPointer(rebasing: bytes[key]), as: UTF8.self)
        if key.isEmpty || (index < line.upperBound && bytes[index] != UInt8(ascii: ":") && bytes[line].contains(UInt8(ascii: "="))) {
            if bytes[line].startsWithByteOrderMark {
                find(
                    .invalidName, line.lowerBound..<line.lowerBound + 3, "there is a byte order mark inside the file",
                    label: "U+FEFF, which cannot be seen",
                    hint: "delete it; files that were put together have one where the second begins")
                return
            }
            var end = bytes[line].firstIndex { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":") } ?? line.upperBound
            while end > line.lowerBound, bytes[end - 1].isSpace { end -= 1 }
            find(
                .invalidName, line.lowerBound..<max(end, line.lowerBound + 1), "the key's name is not valid",
                label: "expected a name",
                hint: "names start with a letter or _, and go on with letters, digits, _ and -; comments start with # or ;")
        } else if index < line.upperBound, bytes[index] == UInt8(ascii: ":") {
            find(
                .colonSeparator, index..<index + 1, "'\(name)' is divided from its value by ':'", label: "expected '='",
                hint: "write \(name) = …")
        } else {
            // The word is not repeated: a line without '=' may be a part of a key or a password.
            find(
                .missingEquals, key, "the line has no '='", label: "expected '='",
                hint: "write key = value; key = with nothing after it is the empty text")
        }
    }

    private mutating func find(
        _ code: SyntaxProblem.Code, _ range: Range<Int>, _ message: String, label: String? = nil, hint: String? = nil,
        related: (range: Range<Int>, message: String)? = nil
    ) {
        add(Finding(code, range, message, label: label, hint: hint, related: related))
    }

    private mutating func add(_ finding: Finding) { findings.append(finding) }
}

/// The keys seen so far: an open-addressing table of entry numbers, so that finding a duplicate makes no string.
private struct KeyTable {
    /// Which section the keys belong to.
    var section: UInt64 = 0
    /// Entry number + 1 with the hash's upper half beside it; 0 is free. A power of two, at most half full.
    private var slots: [UInt64] = Array(repeating: 0, count: 256)
    private var count = 0
    /// The section of each entry, to tell equal keys of two sections apart.
    private var sections: [UInt64] = []
    /// Drawn for each parse, so that a crafted file cannot choose which keys collide.
    private let seed = UInt64.random(in: .min ... .max)

    /// Adds a key and returns `nil`, or returns the entry that has the same one.
    mutating func insert(
        entry: Int, key: Range<Int>, in bytes: UnsafeBufferPointer<UInt8>, entries: ContiguousArray<Document.Entry>
    ) -> Int? {
        if count * 2 >= slots.count { grow() }
        let hash = hash(bytes, key)
        let tag = hash & 0xFFFF_FFFF_0000_0000
        var index = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[index] != 0 {
            let slot = slots[index]
            if slot & 0xFFFF_FFFF_0000_0000 == tag {
                let other = Int(truncatingIfNeeded: slot & 0xFFFF_FFFF) - 1
                if sections[other] == section, bytes[entries[other].keyRange.indices].elementsEqual(bytes[key]) { return other }
            }
            index = (index + 1) & (slots.count - 1)
        }
        slots[index] = tag | UInt64(entry + 1)
        hashes.append(hash)
        sections.append(section)
        count += 1
        return nil
    }

    private var hashes: [UInt64] = []

    private mutating func grow() {
        var larger = [UInt64](repeating: 0, count: slots.count * 2)
        for (entry, hash) in hashes.enumerated() {
            var index = Int(truncatingIfNeeded: hash) & (larger.count - 1)
            while larger[index] != 0 { index = (index + 1) & (larger.count - 1) }
            larger[index] = hash & 0xFFFF_FFFF_0000_0000 | UInt64(entry + 1)
        }
        slots = larger
    }

    private func hash(_ bytes: UnsafeBufferPointer<UInt8>, _ key: Range<Int>) -> UInt64 {
        var hash = seed ^ (section &* 0x9E37_79B9_7F4A_7C15)
        for index in key { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01B3 }
        hash ^= hash >> 32
        hash &*= 0xD6E8_FEB8_6659_FD93
        return hash ^ (hash >> 29)
    }
}
