import OrderedCollections
public import PlueDocuments

extension Diagnostic {
    /// A problem of the INI language, in a document that did parse otherwise.
    init(_ problem: SyntaxProblem, in document: Document, key: SettingKey?, isShown: Bool) {
        self.init(
            DiagnosticCode(rawValue: problem.code.rawValue), key: key,
            at: document.location(of: problem.range, excerpt: isShown ? document.lineText(at: problem.range) : nil),
            problem.message, label: problem.label, hint: problem.hint,
            related: problem.related.map { Related($0.message, at: document.location(of: $0.range, excerpt: nil)) })
    }

    /// A problem that kept a document from parsing.
    /// - Parameter visibility: Which lines may be shown: one that does not parse may hold a secret anywhere.
    init(_ problem: SyntaxProblem, inFile file: String, text: SourceLines, visibility: LineVisibility) {
        let excerpt = text.line(problem.start.line).map(visibility.shown)
        self.init(
            DiagnosticCode(rawValue: problem.code.rawValue),
            at: Location(
                file: file, line: problem.start.line, column: problem.start.column, endLine: problem.end.line,
                endColumn: problem.end.column, excerpt: excerpt),
            problem.message, label: problem.label, hint: problem.hint,
            related: problem.related.map { related in
                Related(
                    related.message,
                    at: Location(
                        file: file, line: related.start.line, column: related.start.column, endLine: related.end.line,
                        endColumn: related.end.column))
            })
    }
}

extension Diagnostic {
    /// A problem of the INI language alone, where no schema tells secrets apart: without the line's text.
    public init(_ problem: SyntaxProblem, inFile file: String) {
        self.init(problem, inFile: file, text: SourceLines([]), visibility: LineVisibility(SectionModel()))
    }
}

/// The lines of a text that may not be UTF-8 throughout.
struct SourceLines {
    private let lines: [ArraySlice<UInt8>]

    init(_ bytes: [UInt8]) {
        lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    }

    /// A line by its number, from 1, without its end; cut after 4 KiB.
    func line(_ number: Int) -> String? {
        guard lines.indices.contains(number - 1) else { return nil }
        let line = lines[number - 1].prefix(4096)
        return String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
    }
}

/// Decides how much of a line that did not parse a message may show.
struct LineVisibility {
    private let open: Set<String>
    private let secret: Set<String>

    init(_ schema: SectionModel) {
        var names: (open: Set<String>, secret: Set<String>) = ([], [])
        Self.collect(schema, into: &names)
        open = names.open.subtracting(names.secret)
        secret = names.secret
    }

    private static func collect(_ section: SectionModel, into names: inout (open: Set<String>, secret: Set<String>)) {
        for setting in section.settings.values {
            if setting.isSecret { names.secret.insert(setting.name) } else { names.open.insert(setting.name) }
        }
        for child in section.sections.values { collect(child, into: &names) }
        if let any = section.anySection { collect(any.value, into: &names) }
    }

    /// The line with everything covered that may belong to a secret: the value of any key that is not known to be open.
    func shown(_ line: String) -> String {
        let text = line.drop { $0 == " " || $0 == "\t" }
        if text.isEmpty || text.first == "[" || text.first == "#" || text.first == ";" { return line }
        guard let separator = line.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
            return text.count <= 32 && isOpen(String(text)) ? line : "••••••"
        }
        let key = line[..<separator].trimmingSpaces()
        if isOpen(key) { return line }
        return "\(line[...separator]) ••••••"
    }

    private func isOpen(_ key: String) -> Bool {
        if secret.contains(key) { return false }
        if open.contains(key) { return true }
        return nearest(key, among: open.union(secret)).map(open.contains) ?? false
    }
}

extension Substring {
    fileprivate func trimmingSpaces() -> String {
        var text = self.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
        return String(text)
    }
}

extension SyntaxErrors {
    /// What is wrong with a document that does not parse.
    /// - Parameter schema: For which of its lines may be shown.
    package func diagnostics(of bytes: [UInt8], inFile file: String, schema: SectionModel) -> [Diagnostic] {
        let (lines, visibility) = (SourceLines(bytes), LineVisibility(schema))
        return problems.map { Diagnostic($0, inFile: file, text: lines, visibility: visibility) }
    }
}
