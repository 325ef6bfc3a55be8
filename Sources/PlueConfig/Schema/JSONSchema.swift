extension SectionModel {
    /// Reads a JSON Schema (2020-12) as the schema of a configuration: its objects are sections, everything else settings.
    ///
    /// Nothing in it is ignored: a keyword, a format or a reference that Plue does not know is an error, for a schema that checks
    /// less than it says is worse than none. Text is read by `type`, the narrowest type first; where there is no `type`, as what
    /// the other keywords speak about. `additionalProperties` is true by default, so an undescribed key is let through as text.
    /// - Parameters:
    ///   - bytes: The document: at most 16 MiB of JSON, 64 levels deep.
    ///   - name: The document as messages call it.
    /// - Throws: Everything that is wrong with it, each with its line and column.
    public init(jsonSchema bytes: [UInt8], name: String) throws(JSONSchemaErrors) {
        var text = JSONText(bytes, name: name)
        let root: JSONText.Node
        do {
            root = try text.parse()
        } catch {
            let problem = text.diagnostic(error)
            throw JSONSchemaErrors(diagnostics: [text.maySpeakOfSecrets ? problem.withoutExcerpts : problem])
        }
        text.coverValues(of: root)
        var reader = JSONSchemaReader(text, root: root)
        let schema = reader.read()
        // What could not be read is not described either: one mistake, one message.
        guard reader.problems.isEmpty else { throw JSONSchemaErrors(diagnostics: reader.problems.sortedByPlace()) }
        var sections = JSONSchemaSections(reader)
        self = sections.root(schema)
        guard sections.reader.problems.isEmpty else { throw JSONSchemaErrors(diagnostics: sections.reader.problems.sortedByPlace()) }
    }
}
