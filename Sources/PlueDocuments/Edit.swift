/// Why an edit was refused; the document is as it was.
public struct EditError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One sentence, without the value.
    public let description: String
}

/// Edits change the bytes they concern and no others: comments, order, indentation, the byte order mark and line ends stay.
extension Document {
    /// Sets a key: replaces its value, or adds it at the end of its section, or adds the section at the end of the document.
    /// - Parameter rawValue: As written after `=`; ``ValueText/quoted(_:)`` spells plain text.
    /// - Throws: ``EditError`` when a name or the value cannot be written so that it reads back.
    public mutating func set(_ key: String, in section: String, to rawValue: String) throws(EditError) {
        let value: ValueText
        do {
            value = try ValueText(parsing: rawValue)
        } catch {
            throw EditError(description: "the value cannot be written in a document: \(error.problems.first?.message ?? "")")
        }
        let before = self
        let text = value.rawText
        if let entry = firstEntry(section: section, key: key) {
            try replace(entry.valueRange.indices, with: padding(before: entry, text) + (try besideComment(entry, value)))
            guard let edited = firstEntry(section: section, key: key), fragments(of: edited).map(\.text) == value.fragments.map(\.text)
            else {
                self = before
                throw EditError(description: "'\(section).\(key)' cannot be written in the document")
            }
            return
        } else if let last = sections.last(where: { $0.name == section }) {
            try insert("\(indentation(of: last))\(key) = \(text)", after: endOfSection(last))
        } else {
            let gap = bytes.isEmpty || sections.isEmpty ? "" : lineEnd
            try insert("\(gap)[\(section)]\(lineEnd)\(key) = \(text)", after: bytes.count)
        }
        guard let entry = firstEntry(section: section, key: key), self.rawText(of: entry) == text else {
            self = before
            throw EditError(description: "'\(section).\(key)' cannot be written in the document")
        }
    }

    /// Puts other values in the place of those whose text is one of these.
    /// - Parameter values: By the text that is there, what is written after `=` instead.
    public mutating func replaceValues(_ values: [String: String]) throws(EditError) {
        let original = self
        for section in original.sections {
            for entry in original.entries[section.entries] {
                guard let value = values[original.text(of: entry)] else { continue }
                do throws(EditError) {
                    try set(original.key(of: entry), in: section.name, to: value)
                } catch {
                    self = original
                    throw error
                }
            }
        }
    }

    /// Deletes a key's lines, so that it returns to the layer below; false when it is not set.
    public mutating func remove(_ key: String, in section: String) throws(EditError) -> Bool {
        guard let entry = firstEntry(section: section, key: key) else { return false }
        try replace(lines(from: Int(entry.keyRange.start), to: Int(entry.valueRange.end)), with: "")
        return true
    }

    /// Adds an empty section at the end, with a comment above it; does nothing when it is there.
    public mutating func addSection(_ name: String, comment: String? = nil) throws(EditError) {
        guard !sections.contains(where: { $0.name == name }) else { return }
        let gap = bytes.isEmpty ? "" : lineEnd
        let lines = comment.map { commentLines($0) } ?? ""
        let before = self
        try insert("\(gap)\(lines)[\(name)]", after: bytes.count)
        guard sections.count == before.sections.count + 1, sections.last?.name == name else {
            self = before
            throw EditError(description: "'\(name)' is not a section's name")
        }
    }

    /// Deletes a section wherever it is opened: its header, its keys and the comments between them. Comments above the
    /// header stay, since they may speak of what is before it. False when there is none.
    public mutating func removeSection(_ name: String) throws(EditError) -> Bool {
        guard sections.contains(where: { $0.name == name }) else { return false }
        let before = self
        while let index = sections.lastIndex(where: { $0.name == name }) {
            let section = sections[index]
            let start = lines(from: Int(section.header.start), to: Int(section.header.end)).lowerBound
            let end = sections.indices.contains(index + 1) ? startOfComments(above: sections[index + 1]) : bytes.count
            do {
                try replace(start..<max(start, end), with: "")
            } catch {
                self = before
                throw error
            }
        }
        return true
    }

    // MARK: - Bytes

    private mutating func replace(_ range: Range<Int>, with text: String) throws(EditError) {
        var edited = bytes
        edited.replaceSubrange(range, with: Array(text.utf8))
        do {
            self = try Document(parsing: edited, name: name)
        } catch {
            throw EditError(description: "the document would not parse any more: \(error.problems.first?.message ?? "")")
        }
    }

    /// Inserts lines after a line's end; a last line that has no end gets one.
    private mutating func insert(_ text: String, after offset: Int) throws(EditError) {
        let last = offset > 0 ? bytes[offset - 1] : .newline
        let end = last == .newline ? "" : last == .carriageReturn ? "\n" : lineEnd
        try replace(offset..<offset, with: end + text + lineEnd)
    }

    /// CRLF when the first line ends with it.
    private var lineEnd: String {
        guard let newline = bytes.firstIndex(of: .newline), newline > 0, bytes[newline - 1] == .carriageReturn else { return "\n" }
        return "\r\n"
    }

    /// The whole lines that a range touches, their ends included.
    private func lines(from start: Int, to end: Int) -> Range<Int> {
        let first = bytes[..<start].lastIndex(of: .newline).map { $0 + 1 } ?? 0
        let last = bytes[min(end, bytes.count)...].firstIndex(of: .newline).map { $0 + 1 } ?? bytes.count
        let isBOM = first == 0 && bytes.startsWithByteOrderMark
        return (isBOM ? 3 : first)..<max(last, isBOM ? 3 : first)
    }

    /// Past the last line of a section that says something of it: its last key, or its header.
    private func endOfSection(_ section: Section) -> Int {
        let end = section.entries.isEmpty ? section.header.end : entries[section.entries.upperBound - 1].valueRange.end
        return lines(from: Int(end), to: Int(end)).upperBound
    }

    private func indentation(of section: Section) -> String {
        guard let entry = section.entries.last.map({ entries[$0] }) else { return "" }
        let start = Int(entry.keyRange.start)
        let line = lines(from: start, to: start).lowerBound
        return String(decoding: bytes[line..<max(line, start)], as: UTF8.self)
    }

    /// `key =` has no space to keep before a value that it did not have.
    private func padding(before entry: Entry, _ text: String) -> String {
        let start = Int(entry.valueRange.start)
        return entry.valueRange.indices.isEmpty && !text.isEmpty && start > 0 && bytes[start - 1] == UInt8(ascii: "=") ? " " : ""
    }

    /// How a value is written where an entry's value stands. A comment after that one would become a part of a bare value, so
    /// the value gets quotes; not where they would mean something else: in a list, or around a substitution.
    private func besideComment(_ entry: Entry, _ value: ValueText) throws(EditError) -> String {
        let end = Int(entry.valueRange.end)
        let rest = bytes[end...].prefix { $0 != .newline }
        guard value.form == .bare || value.form == .list, rest.contains(where: \.startsComment) else { return value.rawText }
        let text = value.rawText.utf8
        if value.form == .list || text.contains(.comma) || text.contains(.quote) || text.contains(.backslash)
            || text.contains(UInt8(ascii: "$"))
        {
            throw EditError(
                description:
                    "a comment follows the value in its line, so the new value has to end with a quote; or move the comment to a line of its own"
            )
        }
        return "\"\(value.rawText)\""
    }

    /// Each line of a text behind a `#`, whatever ends its lines, so that no line of it is anything but a comment.
    private func commentLines(_ text: String) -> String {
        text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { "# \($0)\(lineEnd)" }.joined()
    }

    /// Where the comment lines directly above a section's header begin.
    private func startOfComments(above section: Section) -> Int {
        var start = lines(from: Int(section.header.start), to: Int(section.header.start)).lowerBound
        while start > 0 {
            let above = lines(from: start - 1, to: start - 1)
            guard let first = bytes[above].first(where: { !$0.isSpace }), first.startsComment else { break }
            start = above.lowerBound
        }
        return start
    }
}
