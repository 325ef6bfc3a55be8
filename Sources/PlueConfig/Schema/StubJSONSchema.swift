extension SectionModel {
    public init(jsonSchema bytes: [UInt8], name: String) throws(JSONSchemaErrors) { throw JSONSchemaErrors(diagnostics: []) }
    public func jsonSchema(title: String) -> JSONValue { .null }
    public func markdown(title: String) -> String { "" }
    public func sampleINI() -> String { "" }
}
