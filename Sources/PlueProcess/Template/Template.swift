import Mustache
import PlueConfig

/// A Mustache template of a configuration file, in which every name has to mean something; ``ExternalDaemon/Settings/template``
/// says what it may contain.
struct Template: Sendable {
    /// The template's file, as problems name it.
    let file: String
    private let mustache: MustacheTemplate
    private let tags: [TemplateTag]

    /// The largest template, and the largest file that comes out of one.
    static let largest = 1_048_576
    static let largestOutput = 16 * 1_048_576

    /// - Parameter file: What to call it in problems.
    init(_ bytes: [UInt8], file: String) throws(TemplateProblem) {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw TemplateProblem(file: file, [.init(line: 1, message: "the template is not UTF-8 text")])
        }
        let scan = try TagScan(bytes, file: file)
        self.file = file
        tags = scan.tags
        do {
            mustache = try MustacheTemplate(string: String(decoding: scan.numbered, as: UTF8.self))
        } catch {
            let line = (error as? MustacheTemplate.ParserError)?.context.lineNumber ?? 1
            throw TemplateProblem(file: file, [.init(line: line, message: "the template is not Mustache")])
        }
    }

    /// The file's text with these values. A pure function of the two.
    func render(_ values: TemplateValues) throws(TemplateProblem) -> Rendering {
        let lookups = Lookups(tags: tags, values: values)
        let text = mustache.render(Scope(values.root, lookups))
        guard lookups.problems.isEmpty else {
            throw TemplateProblem(file: file, lookups.problems.sorted { ($0.line, $0.message) < ($1.line, $1.message) })
        }
        guard text.utf8.count <= Self.largestOutput else {
            throw TemplateProblem(file: file, [.init(line: 1, message: "what comes out is larger than \(Self.largestOutput) bytes")])
        }
        return Rendering(content: Secret(Array(text.utf8)), redaction: Redaction(lookups.secrets))
    }
}

/// A rendered file, covered as if all of it were secret.
struct Rendering: Sendable {
    let content: Secret<[UInt8]>
    /// Knows the secrets that it holds.
    let redaction: Redaction

    func isSame(as bytes: [UInt8]) -> Bool { content.withExposed { $0 == bytes } }
    func isSame(as other: Rendering) -> Bool { other.content.withExposed { isSame(as: $0) } }
}
