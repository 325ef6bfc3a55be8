/// A value that somebody wrote outside a document, `--set server.port=8080`: read by the same rules as after `=`.
public struct ValueText: Hashable, Sendable {
    /// The value as it was written, spaces around it taken off.
    public let rawText: String
    /// How the value is written.
    public let form: ValueForm
    /// The value in pieces; their offsets count from the start of ``rawText``.
    public let fragments: [Fragment]
    private let bytes: [UInt8]

    /// - Throws: ``SyntaxErrors`` when the text is not one value.
    public init(parsing text: String) throws(SyntaxErrors) {
        let prefix = "[v]\nv = "
        let document: Document
        do {
            document = try Document(parsing: Array((prefix + text).utf8), name: "")
        } catch {
            throw SyntaxErrors(problems: error.problems.map { $0.moved(back: prefix.utf8.count) })
        }
        guard document.entries.count == 1, document.sections.count == 1, let entry = document.entries.first,
            entry.form == .block || !text.utf8.contains(.newline)
        else {
            throw SyntaxErrors(
                problems: PlaceFinder(Array(text.utf8)).problems([
                    Finding(.severalLines, 0..<text.utf8.count, "a value is one line", hint: "write \"\"\"…\"\"\" around several lines")
                ]))
        }
        let start = Int(entry.valueRange.start)
        rawText = document.rawText(of: entry)
        form = entry.form
        fragments = document.fragments(of: entry).map { Fragment(text: $0.text, offset: $0.offset - start, isVerbatim: $0.isVerbatim) }
        bytes = Array(rawText.utf8)
    }

    /// The value as a list; see ``Document/items(of:)``.
    public func items() throws(SyntaxErrors) -> [Item] {
        switch bytes.withUnsafeBufferPointer({ ValueReading($0).items(0..<$0.count, form) }) {
        case .success(let items): return items
        case .failure(let finding): throw SyntaxErrors(problems: PlaceFinder(bytes).problems([finding]))
        }
    }

    /// The items of a text in which nothing is quoted or escaped: split at commas, trimmed, empty ones left out.
    public static func literalItems(_ text: String) -> [String] {
        // By scalars: a combining mark after a comma does not make it another comma.
        text.unicodeScalars.split(separator: ",").map { item in
            var item = item.drop { $0 == " " || $0 == "\t" }
            while let last = item.last, last == " " || last == "\t" { item = item.dropLast() }
            return String(item)
        }.filter { !$0.isEmpty }
    }

    /// A truth value as the dialect spells it, `true false yes no on off` in any case; `nil` for any other text.
    public static func boolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on": true
        case "false", "no", "off": false
        default: nil
        }
    }

    /// A spelling that reads back as exactly this text: bare where it can be, else quoted.
    ///
    /// A `${` in it stays text: it is never read as a substitution.
    public static func quoted(_ text: String) -> String {
        isBareSafe(text) ? text : doubleQuoted(text)
    }

    /// A spelling of a list that reads back as exactly these items.
    public static func list(_ items: [String]) -> String {
        items.map { item in
            item.isEmpty || !isBareSafe(item) || item.utf8.contains(.comma) ? doubleQuoted(item) : item
        }.joined(separator: ", ")
    }

    private static func isBareSafe(_ text: String) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last else { return true }
        return first != .quote && first != .apostrophe && !first.isSpace && !last.isSpace
            && text.utf8.allSatisfy { $0 != .newline && $0 != .carriageReturn && $0 != 0 } && !hasReference(text)
    }

    private static func doubleQuoted(_ text: String) -> String {
        var quoted = "\""
        var previous: Unicode.Scalar?
        for scalar in text.unicodeScalars {
            defer { previous = scalar }
            switch scalar {
            // Only a verbatim `${` starts a substitution; `$${` is the spelling of a literal one.
            case "{" where previous == "$": quoted += "${"
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case "\0": quoted += "\\0"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// By bytes: to a String, a brace with a combining mark is another character.
    private static func hasReference(_ text: String) -> Bool {
        zip(text.utf8, text.utf8.dropFirst()).contains { $0 == UInt8(ascii: "$") && $1 == UInt8(ascii: "{") }
    }
}

extension SyntaxProblem {
    /// The problem of a value that was parsed behind a section and a key, with places counted from the value's start.
    fileprivate func moved(back prefix: Int) -> SyntaxProblem {
        func moved(_ range: SourceRange) -> SourceRange {
            SourceRange(start: range.start - min(range.start, UInt32(prefix)), end: range.end - min(range.end, UInt32(prefix)))
        }
        func moved(_ place: Place) -> Place {
            place.line == 2
                ? Place(line: 1, column: max(1, place.column - "v = ".utf8.count))
                : Place(line: max(1, place.line - 1), column: place.column)
        }
        var problem = self
        problem.range = moved(range)
        problem.start = moved(start)
        problem.end = moved(end)
        problem.related = related.map { Related(range: moved($0.range), start: moved($0.start), end: moved($0.end), message: $0.message) }
        return problem
    }
}
