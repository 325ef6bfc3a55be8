/// Diagnostics as people read them in a terminal: the sentence, the place with the line and carets, notes, a summary.
///
/// ```
/// error[range]: server.port is 99999, but must be between 1 and 65535
///   ┌─ config/production.ini:4:8
/// 4 │ port = 99999
///   │        ^^^^^ expected 1...65535
///   │
///   = overrides 8080 from config/base.ini:3:8
/// 1 error, 0 warnings in config/production.ini
/// ```
///
/// Whatever the documents hold, the text has no control characters besides newlines and, when asked for, colours.
public struct DiagnosticText: Sendable {
    private let paint: Paint

    /// - Parameter colour: Whether to write ANSI colours; ask for them only when a terminal reads.
    public init(colour: Bool) { paint = Paint(isOn: colour) }

    /// All diagnostics in the order given and the summary, without a newline at the end; empty when there are none.
    public func render(_ diagnostics: [Diagnostic]) -> String {
        guard !diagnostics.isEmpty else { return "" }
        let lines = diagnostics.compactMap { $0.location?.excerpt == nil ? nil : $0.location?.line }
        let gutter = String(lines.max() ?? 0).count
        let blocks = diagnostics.map { block($0, gutter: gutter).joined(separator: "\n") }
        return (blocks + [summary(diagnostics)]).joined(separator: "\n")
    }

    /// How many errors and warnings there are, and in which files: `2 errors, 0 warnings in config/production.ini`.
    public func summary(_ diagnostics: [Diagnostic]) -> String {
        let errors = diagnostics.count { $0.severity == .error }
        var text = "\(counted(errors, "error")), \(counted(diagnostics.count - errors, "warning"))"
        var files: [String] = []
        for file in diagnostics.lazy.compactMap(\.location?.file) where !files.contains(file) { files.append(file) }
        switch files.count {
        case 0: break
        case 1...3: text += " in " + files.map(VisibleText.of).joined(separator: ", ")
        default: text += " in \(files.count) files"
        }
        return text
    }

    private func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    private func block(_ diagnostic: Diagnostic, gutter: Int) -> [String] {
        let colour: Paint.Colour = diagnostic.severity == .error ? .error : .warning
        let margin = String(repeating: " ", count: gutter)
        let title = paint("\(diagnostic.severity.rawValue)[\(VisibleText.of(diagnostic.code.rawValue))]", colour)
        var lines = [title + paint(": " + VisibleText.of(diagnostic.message), .strong)]
        let label = (diagnostic.label ?? diagnostic.expected.map { "expected \($0)" }).map(VisibleText.of)
        var notes: [String] = []

        if let location = diagnostic.location {
            lines.append("\(margin) \(paint("┌─", .frame)) \(VisibleText.of(location.summary))")
            if let excerpt = location.excerpt {
                let source = SourceLine(excerpt, location)
                let number = String(location.line)
                let padding = String(repeating: " ", count: max(0, gutter - number.count))
                lines.append("\(paint("\(padding)\(number) │", .frame)) \(source.text)".trimmingEnd())
                let carets = paint(([source.carets] + [label].compactMap(\.self)).joined(separator: " "), colour)
                lines.append("\(margin) \(paint("│", .frame)) \(source.indentation)\(carets)")
            }
        }
        if diagnostic.location?.excerpt == nil, let label { notes.append(label) }
        notes += diagnostic.related.map { VisibleText.of($0.sentence) }
        if let hint = diagnostic.hint { notes.append("hint: " + VisibleText.of(hint)) }

        if diagnostic.location?.excerpt != nil, !notes.isEmpty { lines.append("\(margin) \(paint("│", .frame))") }
        return lines + notes.map { "\(margin) \(paint("=", .frame)) \($0)" }
    }
}

extension Location {
    /// `config/base.ini:3:8`; what stands in for a document, `$PLUE__SERVER__PORT` or `--set server.port`, has no lines.
    var summary: String { isInDocument ? "\(file):\(line):\(column)" : file }

    /// Whether the file is one, rather than a variable or a flag.
    var isInDocument: Bool { !file.hasPrefix("$") && !file.hasPrefix("--set ") }
}

extension Diagnostic.Related {
    /// The message with its place, unless it says it already.
    var sentence: String {
        guard let place = location?.summary, !message.hasSuffix(place) else { return message }
        let goesOn = ["from", "at", "in"].contains(message.split(separator: " ").last)
        return goesOn ? "\(message) \(place)" : "\(message) (\(place))"
    }
}

/// One line of a document with the carets under a part of it, cut to what fits around that part.
private struct SourceLine {
    let text: String
    /// The spaces before the carets.
    let indentation: String
    let carets: String

    private static let widest = 120
    private static let before = 40

    init(_ excerpt: String, _ location: Location) {
        let cells = VisibleText(line: excerpt).cells
        // A covered or cut excerpt can be shorter than the place says.
        let start = min(max(0, location.column.subtractingReportingOverflow(1).partialValue), cells.count)
        let isOneLine = location.endLine <= location.line
        let end = min(max(start, isOneLine ? location.endColumn.subtractingReportingOverflow(1).partialValue : cells.count), cells.count)

        var window = 0..<cells.count
        if cells.reduce(0, { $0 + $1.width }) > Self.widest {
            var lower = start
            var room = Self.before
            while lower > 0, cells[lower - 1].width <= room {
                lower -= 1
                room -= cells[lower].width
            }
            var upper = lower
            room = Self.widest
            while upper < cells.count, cells[upper].width <= room {
                room -= cells[upper].width
                upper += 1
            }
            window = lower..<upper
        }
        let opening = window.lowerBound > 0 ? "…" : ""
        let closing = window.upperBound < cells.count ? "…" : ""
        text = opening + cells[window].map(\.text).joined() + closing
        let width = cells[window.lowerBound..<start].reduce(opening.count) { $0 + $1.width }
        indentation = String(repeating: " ", count: width)
        let marked = cells[start..<max(start, min(end, window.upperBound))].reduce(0) { $0 + $1.width }
        carets = String(repeating: "^", count: max(1, marked))
    }
}

/// ANSI colours, or none.
private struct Paint {
    enum Colour: String {
        case error = "1;31"
        case warning = "1;33"
        case strong = "1"
        case frame = "34"
    }

    let isOn: Bool

    func callAsFunction(_ text: String, _ colour: Colour) -> String {
        isOn ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }
}

extension String {
    /// Without the spaces at its end: a blank line has none after its frame.
    fileprivate func trimmingEnd() -> String {
        var text = self[...]
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}
