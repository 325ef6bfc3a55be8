public import PlueDocuments

/// One contributor of values. A class, because every value refers to the layer it came from.
public final class Layer: Sendable {
    /// What the layer is made of.
    enum Content: Sendable {
        case document(Document, role: SourceText.Role)
        /// Values of `PLUE__…` variables, taken literally; each with its variable's name.
        case variables([String])
        /// Values of `--set`, read like a document's.
        case commandLine([String])
    }

    let content: Content

    init(_ content: Content) { self.content = content }

    /// The document that the layer is; `nil` for variables and flags.
    public var document: Document? { if case .document(let document, _) = content { document } else { nil } }

    /// As messages call it: `config/base.ini`, `environment`, `command line`.
    public var name: String {
        switch content {
        case .document(let document, _): document.name
        case .variables: "environment"
        case .commandLine: "command line"
        }
    }
}

/// Where a value came from.
public enum Origin: Sendable {
    /// No layer sets it: the schema's own default.
    case schemaDefault
    /// An entry of a document.
    case entry(Layer, Document.Entry)
    /// A `PLUE__SECTION__KEY` variable, by its name.
    case variable(String)
    /// A `--set` argument, by its key.
    case flag(SettingKey)

    /// The place of the value, as messages show it; `nil` for a default.
    public var location: Location? {
        switch self {
        case .schemaDefault: nil
        case .entry(let layer, let entry):
            if case .document(let document, _) = layer.content { document.location(of: entry.valueRange, excerpt: nil) } else { nil }
        case .variable(let name): Location(file: "$\(name)", line: 1, column: 1, endLine: 1, endColumn: 1)
        case .flag(let key): Location(file: "--set \(key)", line: 1, column: 1, endLine: 1, endColumn: 1)
        }
    }

    /// The place in a few words: `config/base.ini:3:8`, `$PLUE__SERVER__PORT`, `--set server.port`, `default`.
    public var summary: String {
        switch self {
        case .schemaDefault: "default"
        case .variable(let name): "$\(name)"
        case .flag(let key): "--set \(key)"
        case .entry: location.map { "\($0.file):\($0.line):\($0.column)" } ?? "default"
        }
    }
}

extension Document {
    /// A range of the document as a place for messages.
    func location(of range: SourceRange, excerpt: String?) -> Location {
        let start = place(of: Int(range.start))
        let end = place(of: Int(range.end))
        return Location(
            file: name, line: start.line, column: start.column, endLine: end.line, endColumn: end.column, excerpt: excerpt)
    }
}
