/// Everything that keeps a JSON Schema from being used, each with its place in the schema's document.
///
/// Codes: `invalid-json`, `duplicate-member`, `json-too-deep`, `json-too-large` (not a JSON document);
/// `unknown-schema-keyword`, `unknown-format`, `invalid-schema` (a keyword's value is not what it takes), `schema-name` (no
/// document can have that name), `unresolved-ref`, `ref-cycle`, `schema-too-deep`, `schema-too-large`, `invalid-default`, and
/// `unsupported-schema` (a document of sections and keys cannot be what it describes).
public struct JSONSchemaErrors: Error, Sendable {
    /// By place.
    public let diagnostics: [Diagnostic]
}
