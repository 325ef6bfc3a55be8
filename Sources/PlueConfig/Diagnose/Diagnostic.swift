/// One thing wrong, or doubtful, with a candidate: what, where, what would be right, and the way out.
///
/// A diagnostic never holds the value of a secret setting.
public struct Diagnostic: Hashable, Sendable, Error {
    /// Whether it keeps a candidate from running.
    public enum Severity: String, Hashable, Sendable {
        case error, warning
    }

    /// Stable over releases; scripts may match on it.
    public var code: DiagnosticCode
    /// An error refuses the candidate; a warning lets it pass.
    public var severity: Severity
    /// The setting concerned; a key with an empty name stands for a whole section.
    public var key: SettingKey?
    /// Where; `nil` when no document is to blame (a missing file, an unset required key of a default).
    public var location: Location?
    /// The whole sentence: "server.port is 99999, but must be between 1 and 65535".
    public var message: String
    /// What stands beside the carets: "expected 1...65535".
    public var label: String?
    /// What would be right.
    public var expected: String?
    /// What was found; `nil` when the setting is secret.
    public var found: String?
    /// The way out.
    public var hint: String?
    /// Other places that belong to it: the other duplicate, the value it overrides.
    public var related: [Related]

    /// Another place that belongs to the problem.
    public struct Related: Hashable, Sendable {
        /// "overrides 8080 from".
        public var message: String
        /// Where that is; `nil` for what stands in no document.
        public var location: Location?

        public init(_ message: String, at location: Location?) {
            self.message = message
            self.location = location
        }
    }

    public init(
        _ code: DiagnosticCode, severity: Severity = .error, key: SettingKey? = nil, at location: Location? = nil,
        _ message: String, label: String? = nil, expected: String? = nil, found: String? = nil, hint: String? = nil,
        related: [Related] = []
    ) {
        self.code = code
        self.severity = severity
        self.key = key
        self.location = location
        self.message = message
        self.label = label
        self.expected = expected
        self.found = found
        self.hint = hint
        self.related = related
    }
}

/// A place in a document, or in what stands in for one (an environment variable, a flag).
public struct Location: Hashable, Sendable {
    /// The document as it was named to the user: `config/production.ini`; or `environment`, `command line`.
    public var file: String
    /// Counted from 1; columns count Unicode scalars. The end is exclusive.
    public var line: Int
    /// Counted from 1, in Unicode scalars.
    public var column: Int
    /// The line of the first place that is not part of it any more.
    public var endLine: Int
    /// The column of the first place that is not part of it any more.
    public var endColumn: Int
    /// The text of the line, where it may be shown; values that may be secret are blanked in it.
    public var excerpt: String?

    public init(file: String, line: Int, column: Int, endLine: Int, endColumn: Int, excerpt: String? = nil) {
        self.file = file
        self.line = line
        self.column = column
        self.endLine = endLine
        self.endColumn = endColumn
        self.excerpt = excerpt
    }
}

/// A diagnostic's stable code.
public struct DiagnosticCode: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// As it is printed: `unknown-key`.
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
    public var description: String { rawValue }
}

extension Sequence<Diagnostic> {
    /// Whether there is an error among them; warnings alone do not make a candidate invalid.
    public var hasErrors: Bool { contains { $0.severity == .error } }

    /// By place: file, line, column; those without a place first.
    public func sortedByPlace() -> [Diagnostic] {
        self.enumerated().sorted { left, right in
            func place(_ entry: (offset: Int, element: Diagnostic)) -> (String, Int, Int, Int) {
                (entry.element.location?.file ?? "", entry.element.location?.line ?? 0, entry.element.location?.column ?? 0, entry.offset)
            }
            return place(left) < place(right)
        }.map(\.element)
    }
}
