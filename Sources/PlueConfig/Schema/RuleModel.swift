/// A rule over several settings of one section and what is below it, with the Swift types erased.
public struct RuleModel: Sendable {
    /// What the rule demands, as a sentence: "debug is off in production".
    public let name: String
    /// The settings the diagnostic points at, relative to the section: `["debug"]`, `["tls", "certificate"]`.
    public let blames: [[String]]
    /// Whether breaking it refuses the candidate.
    public let severity: Diagnostic.Severity
    /// Finds what breaks the rule; `nil` when a typed ``Schema`` checks it against its own struct.
    let check: (@Sendable (ValueTree, RuleContext) -> [Finding])?

    /// One way in which the rule does not hold.
    struct Finding: Sendable {
        /// The whole message; the rule's name when `nil`.
        var message: String?
        /// The settings to blame, relative to the section; the rule's own when `nil`.
        var blames: [[String]]?
        var expected: String?
        var hint: String?
    }

    init(
        name: String, blames: [[String]], severity: Diagnostic.Severity = .error,
        check: (@Sendable (ValueTree, RuleContext) -> [Finding])?
    ) {
        self.name = name
        self.blames = blames
        self.severity = severity
        self.check = check
    }
}

/// The plain values of a section, as a tree; what imported rules and JSON output see.
public struct ValueTree: Sendable {
    /// The settings that have a value, set or default.
    public var values: [String: PlainValue] = [:]
    /// The names among ``values`` that some layer sets, as opposed to defaults.
    public var explicit: Set<String> = []
    /// The sections inside, by name.
    public var sections: [String: ValueTree] = [:]

    public init() {}
}

extension ValueTree {
    mutating func insert(_ value: PlainValue, at path: ArraySlice<String>, isExplicit: Bool) {
        guard let first = path.first else { return }
        if path.count == 1 {
            values[first] = value
            if isExplicit { explicit.insert(first) }
        } else {
            sections[first, default: ValueTree()].insert(value, at: path.dropFirst(), isExplicit: isExplicit)
        }
    }
}
