public import Foundation

/// One setting as every stage after the schema sees it: its row, with the Swift types erased.
///
/// A typed ``Schema`` and an imported JSON Schema both become these rows; nothing downstream knows which it was.
/// A class, because every setting of a snapshot refers to its row.
public final class SettingModel: Sendable {
    /// The key inside its section.
    public let name: String
    /// One line for the reference page, the sample file and `plue explain`.
    public let summary: String
    /// What its values look like.
    public let kind: ValueKind
    /// Must be set in some layer: the schema's default does not count.
    public let isRequired: Bool
    /// Its value is redacted everywhere.
    public let isSecret: Bool
    /// Has no value until it is set.
    public let isOptional: Bool
    /// The name to use instead, when this one is only still read.
    public let replacement: String?
    /// When a change of it counts.
    public let effect: Effect
    /// The value when no layer sets it; `nil` for an optional setting.
    public let defaultValue: PlainValue?
    /// Its rules, in the order they were declared.
    public let constraints: [ConstraintModel]
    /// Reads text as the setting's type.
    let decode: @Sendable (SettingText) throws(ConversionProblem) -> Decoded
    /// Whether it names a ``WatchedFile``, whose content is part of the value.
    let isWatchedFile: Bool

    /// A value in both its forms.
    struct Decoded: Sendable {
        /// The Swift value, as the settings struct stores it.
        let value: any Sendable
        let plain: PlainValue
        /// The file that the value names, as the struct stores it; not read yet when the value was read from text alone.
        var file: WatchedFile?

        /// The same value with the file's content.
        func holding(_ file: WatchedFile) -> Decoded { Decoded(value: file, plain: plain, file: file) }

        /// Whether both are the same value, and of a file the same content.
        func isSame(as other: Decoded) -> Bool { plain == other.plain && file == other.file }
    }

    /// Makes a row by hand; a typed ``Setting`` is the usual way.
    init(
        name: String, summary: String, kind: ValueKind, isRequired: Bool = false, isSecret: Bool = false,
        isOptional: Bool = false, replacement: String? = nil, effect: Effect = .live, defaultValue: PlainValue? = nil,
        constraints: [ConstraintModel] = [], isWatchedFile: Bool = false,
        decode: @escaping @Sendable (SettingText) throws(ConversionProblem) -> Decoded
    ) {
        self.name = name
        self.summary = summary
        self.kind = kind
        self.isRequired = isRequired
        self.isSecret = isSecret
        self.isOptional = isOptional
        self.replacement = replacement
        self.effect = effect
        self.defaultValue = defaultValue
        self.constraints = constraints
        self.isWatchedFile = isWatchedFile
        self.decode = decode
    }
}

/// When a changed setting takes effect.
public enum Effect: String, Hashable, Sendable {
    /// In the transaction that changes it.
    case live
    /// When the process starts again; until then the change is *pending restart* and the running value stays.
    case restart
}

/// A rule about one value, with its Swift type erased.
public struct ConstraintModel: Sendable {
    /// The diagnostic's code: `range`, `length`, `pattern` …
    public let code: DiagnosticCode
    /// What is right, for `expected …`: "1...65535".
    public let expected: String
    /// The rest of the sentence "server.port is 99999, but …": "must be between 1 and 65535".
    public let requirement: String
    /// The same rule as JSON Schema keywords; empty when it has no words for it.
    public let jsonSchema: [String: JSONValue]
    /// Whether breaking it refuses the candidate.
    public let severity: Diagnostic.Severity
    /// Whether the value keeps the rule. Given the value as the settings struct stores it.
    let holds: @Sendable (any Sendable, RuleContext) -> Bool

    init(
        code: DiagnosticCode, expected: String, requirement: String, jsonSchema: [String: JSONValue] = [:],
        severity: Diagnostic.Severity = .error,
        holds: @escaping @Sendable (any Sendable, RuleContext) -> Bool
    ) {
        self.code = code
        self.expected = expected
        self.requirement = requirement
        self.jsonSchema = jsonSchema
        self.severity = severity
        self.holds = holds
    }
}

/// What a rule may know besides the value.
public struct RuleContext: Sendable {
    /// The environment being validated: `production`.
    public let environment: EnvironmentName
    /// The files that path rules look at.
    public let files: any FileAccess
    /// When the candidate was read.
    public let time: Date

    public init(environment: EnvironmentName, files: any FileAccess, time: Date = Date()) {
        self.environment = environment
        self.files = files
        self.time = time
    }
}
