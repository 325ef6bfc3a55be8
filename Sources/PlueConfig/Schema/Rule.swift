/// A rule over several settings, with the settings it blames.
///
/// ```swift
/// Rule("debug is off in production", blames: \.server.debug) { settings, context in
///     context.environment != "production" || !settings.server.debug
/// }
/// ```
public struct Rule<Root: Settings>: Sendable {
    let name: String
    let blames: [any PartialKeyPath<Root> & Sendable]
    let severity: Diagnostic.Severity
    /// What breaks the rule; `nil` when it holds.
    let broken: @Sendable (Root, RuleContext) -> Breach?

    /// A rule that does not hold: why in particular, where there is more to say than its name.
    struct Breach { var reason: String? }

    /// Declares a rule.
    /// - Parameters:
    ///   - name: What the rule demands, as a sentence; it is the diagnostic's message.
    ///   - blames: The settings the diagnostic points at.
    ///   - severity: A warning lets the candidate pass.
    ///   - holds: Whether the settings keep the rule. Called only when every setting is valid by itself.
    public init(
        _ name: String, blames: (any PartialKeyPath<Root> & Sendable)..., severity: Diagnostic.Severity = .error,
        holds: @escaping @Sendable (_ settings: Root, _ context: RuleContext) -> Bool
    ) {
        self.name = name
        self.blames = blames
        self.severity = severity
        broken = { holds($0, $1) ? nil : Breach() }
    }

    /// Declares a rule that can be broken in several ways, each with words of its own.
    /// - Parameters:
    ///   - name: What the rule demands, as a sentence.
    ///   - blames: The settings the diagnostic points at.
    ///   - severity: A warning lets the candidate pass.
    ///   - problem: What breaks the rule, as the diagnostic's message and so without a secret; `nil` when it holds. Called only when
    ///     every setting is valid by itself.
    public init(
        _ name: String, blames: (any PartialKeyPath<Root> & Sendable)..., severity: Diagnostic.Severity = .error,
        problem: @escaping @Sendable (_ settings: Root, _ context: RuleContext) -> String?
    ) {
        self.name = name
        self.blames = blames
        self.severity = severity
        broken = { settings, context in problem(settings, context).map { Breach(reason: $0) } }
    }

    var element: SchemaElement<Root> { SchemaElement { $0.add(self) } }
}
