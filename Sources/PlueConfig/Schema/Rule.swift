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
    let holds: @Sendable (Root, RuleContext) -> Bool

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
        self.holds = holds
    }

    var element: SchemaElement<Root> { SchemaElement { $0.add(self) } }
}
