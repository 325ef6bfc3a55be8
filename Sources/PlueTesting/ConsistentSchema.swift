public import PlueConfig

/// Checks that a schema does not contradict itself: two settings of one name, a default outside its own range, a rule that
/// blames what is not declared.
///
/// ```swift
/// @Test func schema() throws { try expectConsistent(AppSettings.self) }
/// ```
/// - Throws: `ConfigurationError.contradictorySchema` with a sentence for each contradiction.
public func expectConsistent<Root: Settings>(_: Root.Type) throws(ConfigurationError) {
    guard Root.schema.contradictions.isEmpty else { throw .contradictorySchema(Root.schema.contradictions) }
}
