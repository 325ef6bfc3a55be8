import Foundation
import PlueConfig

// The JSON inside the database's text columns. PlueConfig's types are not Codable on purpose (what they look like outside is
// decided where they leave); these mirrors are the ledger's own shape, and change only together with a migration.

/// A column of JSON; an empty list is NULL.
enum RecordedJSON {
    static func text<Element: Encodable>(_ elements: [Element]) throws -> String? {
        guard !elements.isEmpty else { return nil }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return String(decoding: try encoder.encode(elements), as: UTF8.self)
    }

    static func elements<Element: Decodable>(_ type: Element.Type, in text: String?) throws -> [Element] {
        guard let text else { return [] }
        return try JSONDecoder().decode([Element].self, from: Data(text.utf8))
    }
}

/// `section.key`, with the dot always there: a diagnostic's key may lack either part.
struct RecordedKey: Codable {
    var key: SettingKey

    init(_ key: SettingKey) { self.key = key }

    init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        let dot = text.lastIndex(of: ".") ?? text.startIndex
        key = SettingKey(section: String(text[..<dot]), name: String(text[dot...].dropFirst()))
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode("\(key.section).\(key.name)")
    }
}

struct RecordedService: Codable {
    var name: String
    var action: String
    var outcome: String
    var problem: String?
    var ns: Int64

    init(_ result: ServiceResult) {
        name = result.name
        action = result.action.rawValue
        outcome = result.outcome.rawValue
        problem = result.problem
        ns = result.duration.nanoseconds
    }

    /// `nil` for words no Plue writes.
    var result: ServiceResult? {
        guard let action = ServiceAction(rawValue: action), let outcome = ServiceResult.Outcome(rawValue: outcome)
        else { return nil }
        return ServiceResult(name: name, action: action, outcome: outcome, problem: problem, duration: .nanoseconds(ns))
    }
}

struct RecordedDiagnostic: Codable {
    struct Place: Codable {
        var file: String
        /// line, column, end line, end column
        var range: [Int]
        var excerpt: String?

        init(_ location: Location) {
            file = location.file
            range = [location.line, location.column, location.endLine, location.endColumn]
            excerpt = location.excerpt
        }

        var location: Location? {
            guard range.count == 4 else { return nil }
            return Location(
                file: file, line: range[0], column: range[1], endLine: range[2], endColumn: range[3], excerpt: excerpt)
        }
    }

    struct Related: Codable {
        var message: String
        var at: Place?
    }

    var code: String
    var severity: String
    var key: RecordedKey?
    var at: Place?
    var message: String
    var label: String?
    var expected: String?
    var found: String?
    var hint: String?
    var related: [Related]?

    init(_ diagnostic: Diagnostic) {
        code = diagnostic.code.rawValue
        severity = diagnostic.severity.rawValue
        key = diagnostic.key.map(RecordedKey.init)
        at = diagnostic.location.map(Place.init)
        message = diagnostic.message
        label = diagnostic.label
        expected = diagnostic.expected
        found = diagnostic.found
        hint = diagnostic.hint
        let related = diagnostic.related.map { Related(message: $0.message, at: $0.location.map(Place.init)) }
        self.related = related.isEmpty ? nil : related
    }

    /// `nil` for words no Plue writes.
    var diagnostic: Diagnostic? {
        guard let severity = Diagnostic.Severity(rawValue: severity) else { return nil }
        return Diagnostic(
            DiagnosticCode(rawValue: code), severity: severity, key: key?.key, at: at?.location, message, label: label,
            expected: expected, found: found, hint: hint,
            related: (related ?? []).map { .init($0.message, at: $0.at?.location) })
    }
}

extension Duration {
    /// Whole nanoseconds, which is what the clocks give; three centuries at most.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, beyond) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || beyond ? (seconds < 0 ? .min : .max) : sum
    }
}
