import OrderedCollections
import Testing

@testable import PlueConfig

/// No settings of its own: everything comes from the imported schema.
struct NoSettings: Settings {
    static let schema = Schema<Self> {}
}

/// What an imported schema says of documents, on the whole road to the plan.
struct ImportedSchema {
    let model: SectionModel

    init(_ schema: String) throws { model = try SectionModel(jsonSchema: Array(schema.utf8), name: "schema.json") }
    init(_ schema: JSONValue) throws { try self.init(schema.text()) }

    func diagnostics(_ document: String) -> [Diagnostic] {
        let candidate = Candidate(environment: .development, texts: ["base.ini": document], variables: [:], overrides: [])
        let pipeline = Pipeline(schema: NoSettings.schema, model: model, services: ServiceSet<NoSettings>(), files: MemoryFiles())
        do {
            return try pipeline.plan(candidate, beside: nil).plan.warnings
        } catch {
            return error.diagnostics
        }
    }

    /// `code key` of everything wrong.
    func problems(_ document: String) -> [String] {
        diagnostics(document).map { "\($0.code)\($0.severity == .warning ? "?" : "") \($0.key?.description ?? "")" }
    }

    func messages(_ document: String) -> [String] { diagnostics(document).map(\.message) }
}

/// Every problem of a schema as `code line:column`.
func schemaProblems(_ schema: String) -> [String] {
    do {
        _ = try ImportedSchema(schema)
        return []
    } catch {
        return ((error as? JSONSchemaErrors)?.diagnostics ?? []).map { "\($0.code) \($0.location?.line ?? 0):\($0.location?.column ?? 0)" }
    }
}

@Suite("JSON Schema in: one setting")
struct JSONSchemaSettingTests {
    /// The schema of `[s] k`, a text, and the code of what is wrong with it (`nil` for nothing).
    struct Row: Sendable, CustomTestStringConvertible {
        let schema: String
        let text: String
        let code: String?
        var testDescription: String { "\(schema) ← \(text)" }

        init(_ schema: String, _ text: String, _ code: String? = nil) { (self.schema, self.text, self.code) = (schema, text, code) }
    }

    @Test(
        "Every keyword accepts what it should and refuses what it should",
        arguments: [
            // type
            Row(#"{"type":"integer"}"#, "5"), Row(#"{"type":"integer"}"#, "5.5", "type"), Row(#"{"type":"integer"}"#, "five", "type"),
            Row(#"{"type":"integer"}"#, "99999999999999999999", "type"), Row(#"{"type":"integer"}"#, "", "type"),
            Row(#"{"type":"number"}"#, "5"), Row(#"{"type":"number"}"#, "-5.5e3"), Row(#"{"type":"number"}"#, "0x10", "type"),
            Row(#"{"type":"number"}"#, "inf", "type"), Row(#"{"type":"number"}"#, "nan", "type"),
            Row(#"{"type":"number"}"#, "1e999", "type"),
            Row(#"{"type":"boolean"}"#, "yes"), Row(#"{"type":"boolean"}"#, "off"), Row(#"{"type":"boolean"}"#, "1", "type"),
            Row(#"{"type":"string"}"#, "anything = # at all"), Row(#"{"type":"string"}"#, ""), Row(#"{"type":"null"}"#, "null", "type"),
            Row(#"{"type":"array"}"#, "a, b"), Row(#"{"type":"array"}"#, ""),
            Row(#"{"type":["integer","boolean"]}"#, "5"), Row(#"{"type":["integer","boolean"]}"#, "on"),
            Row(#"{"type":["integer","boolean"]}"#, "five", "type"), Row(#"{"type":["integer","null"]}"#, "5"),
            Row(#"{"type":["integer","null"]}"#, "x", "type"),
            Row("true", "x"), Row("{}", "x"), Row("false", "x", "not-allowed"),
            // enum, const
            Row(#"{"enum":["a","b"]}"#, "b"), Row(#"{"enum":["a","b"]}"#, "c", "one-of"), Row(#"{"enum":[1,2,"auto"]}"#, "2"),
            Row(#"{"enum":[1,2,"auto"]}"#, "auto"), Row(#"{"enum":[1,2,"auto"]}"#, "3", "one-of"), Row(#"{"enum":["1"]}"#, "1"),
            Row(#"{"type":"number","enum":[1.0]}"#, "1"), Row(#"{"const":true}"#, "yes"), Row(#"{"const":true}"#, "no", "one-of"),
            Row(#"{"const":["a","b"]}"#, "a, b"), Row(#"{"const":["a","b"]}"#, "b, a", "one-of"),
            Row(#"{"enum":["x"],"const":"y"}"#, "x", "one-of"),
            // numbers
            Row(#"{"type":"integer","minimum":1}"#, "1"), Row(#"{"type":"integer","minimum":1}"#, "0", "range"),
            Row(#"{"type":"number","maximum":1.5}"#, "1.5"), Row(#"{"type":"number","maximum":1.5}"#, "1.6", "range"),
            Row(#"{"type":"integer","exclusiveMinimum":1}"#, "2"), Row(#"{"type":"integer","exclusiveMinimum":1}"#, "1", "range"),
            Row(#"{"type":"integer","exclusiveMaximum":9}"#, "8"), Row(#"{"type":"integer","exclusiveMaximum":9}"#, "9", "range"),
            Row(#"{"minimum":1}"#, "1"), Row(#"{"minimum":1}"#, "0", "range"), Row(#"{"minimum":1}"#, "one", "type"),
            Row(#"{"type":"integer","maximum":9007199254740992.0}"#, "9007199254740993", "range"),
            Row(#"{"type":["integer","string"],"minimum":1}"#, "x"),
            // text
            Row(#"{"minLength":2}"#, "ab"), Row(#"{"minLength":2}"#, "a", "length"), Row(#"{"minLength":2}"#, "12"),
            Row(#"{"minLength":1}"#, "", "empty"),
            Row(#"{"maxLength":2}"#, "🦎🦎"), Row(#"{"maxLength":2}"#, "abc", "length"), Row(#"{"maxLength":1.0}"#, "ab", "length"),
            Row(#"{"pattern":"^a+$"}"#, "aaa"), Row(#"{"pattern":"^a+$"}"#, "ab", "pattern"), Row(#"{"pattern":"b"}"#, "abc"),
            // lists
            Row(#"{"items":{"type":"integer"}}"#, "1, 2"), Row(#"{"items":{"type":"integer"}}"#, "1, x", "type"),
            Row(#"{"items":{"type":"integer","maximum":5}}"#, "1, 6", "range"), Row(#"{"type":"array","items":{"enum":["a"]}}"#, "a, a"),
            Row(#"{"type":"array","items":false}"#, ""), Row(#"{"type":"array","items":false}"#, "a", "not-allowed"),
            Row(#"{"minItems":2}"#, "a, b"), Row(#"{"minItems":2}"#, "a", "length"), Row(#"{"maxItems":1}"#, "a"),
            Row(#"{"maxItems":1}"#, "a, b", "length"),
            Row(#"{"uniqueItems":true}"#, "a, b"), Row(#"{"uniqueItems":true}"#, "a, b, a", "unique"),
            Row(#"{"type":"array","uniqueItems":false}"#, "a, a"),
            Row(#"{"items":{"type":"number"},"uniqueItems":true}"#, "1, 1.0", "unique"),
            Row(#"{"type":["string","array"],"items":{"type":"integer"}}"#, "all"),
            Row(#"{"type":["string","array"],"items":{"type":"integer"}}"#, "1, 2"),
            // combinations
            Row(#"{"allOf":[{"type":"integer"},{"minimum":3}]}"#, "3"), Row(#"{"allOf":[{"type":"integer"},{"minimum":3}]}"#, "2", "range"),
            Row(#"{"allOf":[{"type":"integer"},{"type":"boolean"}]}"#, "2", "type"),
            Row(#"{"allOf":[{"type":"integer"},{"type":"number"}]}"#, "2.5", "type"),
            Row(#"{"anyOf":[{"type":"integer","minimum":1},{"const":"auto"}]}"#, "auto"),
            Row(#"{"anyOf":[{"type":"integer","minimum":1},{"const":"auto"}]}"#, "7"),
            Row(#"{"anyOf":[{"type":"integer","minimum":1},{"const":"auto"}]}"#, "0", "any-of"),
            Row(#"{"anyOf":[{"type":"integer"},{"const":"auto"}]}"#, "never", "any-of"),
            Row(#"{"oneOf":[{"type":"integer"},{"type":"string"}]}"#, "5"),
            Row(#"{"oneOf":[{"type":"integer"},{"minimum":3,"type":"number"}]}"#, "5", "exactly-one-of"),
            Row(#"{"oneOf":[{"type":"integer"},{"type":"number","minimum":3}]}"#, "2"),
            Row(#"{"oneOf":[{"type":"integer"},{"type":"boolean"}]}"#, "x", "exactly-one-of"),
            Row(#"{"type":"integer","not":{"const":0}}"#, "1"), Row(#"{"type":"integer","not":{"const":0}}"#, "0", "not"),
            Row(#"{"not":{"enum":["root","admin"]}}"#, "root", "not"),
            Row(#"{"not":{"const":8080}}"#, "8081"), Row(#"{"type":"string","not":{"const":8080}}"#, "8080"),
            Row(#"{"type":"integer","if":{"minimum":1024},"then":{"maximum":9999},"else":{"const":80}}"#, "1024"),
            Row(#"{"type":"integer","if":{"minimum":1024},"then":{"maximum":9999},"else":{"const":80}}"#, "80"),
            Row(#"{"type":"integer","if":{"minimum":1024},"then":{"maximum":9999},"else":{"const":80}}"#, "10000", "if"),
            Row(#"{"type":"integer","if":{"minimum":1024},"then":{"maximum":9999},"else":{"const":80}}"#, "81", "if"),
            // formats
            Row(#"{"format":"date-time"}"#, "2026-02-28T23:59:60+00:00"), Row(#"{"format":"date-time"}"#, "2026-02-29T00:00:00Z", "type"),
            Row(#"{"format":"date"}"#, "2024-02-29"), Row(#"{"format":"date"}"#, "2024-2-29", "type"),
            Row(#"{"format":"time"}"#, "12:00:00.5-01:30"),
            Row(#"{"format":"time"}"#, "12:00:00", "type"), Row(#"{"format":"time"}"#, "12:00:60Z", "type"),
            Row(#"{"format":"duration"}"#, "P1DT12H"),
            Row(#"{"format":"duration"}"#, "PT", "type"), Row(#"{"format":"duration"}"#, "P1H", "type"),
            Row(#"{"format":"duration"}"#, "P4W"),
            Row(#"{"format":"email"}"#, "a.b+c@example.org"), Row(#"{"format":"email"}"#, "a@b@c d", "type"),
            Row(#"{"format":"hostname"}"#, "db-1.internal"),
            Row(#"{"format":"hostname"}"#, "-x", "type"), Row(#"{"format":"ipv4"}"#, "192.0.2.1"),
            Row(#"{"format":"ipv4"}"#, "::1", "type"),
            Row(#"{"format":"ipv6"}"#, "2001:db8::1"), Row(#"{"format":"ipv6"}"#, "192.0.2.1", "type"),
            Row(#"{"format":"uri"}"#, "https://example.org/x"),
            Row(#"{"format":"uri"}"#, "/x", "type"), Row(#"{"format":"uuid"}"#, "123e4567-e89b-12d3-a456-426614174000"),
            Row(#"{"format":"uuid"}"#, "123e4567", "type"),
            Row(#"{"format":"regex"}"#, "^a$"), Row(#"{"format":"regex"}"#, "(", "type"), Row(#"{"format":"json-pointer"}"#, "/a/~0b"),
            Row(#"{"format":"json-pointer"}"#, "a~", "type"),
            Row(#"{"format":"plue-duration"}"#, "1h30m"), Row(#"{"format":"plue-duration"}"#, "90", "type"),
            Row(#"{"format":"plue-byte-size"}"#, "10MiB"),
            Row(#"{"format":"plue-byte-size"}"#, "10mib", "type"), Row(#"{"format":"ip"}"#, "::1"), Row(#"{"format":"ip"}"#, "::g", "type"),
            Row(#"{"format":"cidr"}"#, "10.0.0.0/8"), Row(#"{"format":"cidr"}"#, "10.0.0.1/8", "type"),
            Row(#"{"format":"host-port"}"#, "db:5432"),
            Row(#"{"format":"host-port"}"#, "db", "type"), Row(#"{"format":"plue-path"}"#, "/etc/x"),
            Row(#"{"format":"plue-path"}"#, "", "type"),
            Row(#"{"format":"plue-duration","x-plue-minimum":"1s","x-plue-maximum":"1m"}"#, "60000ms"),
            Row(#"{"format":"plue-duration","x-plue-minimum":"1s","x-plue-maximum":"1m"}"#, "61s", "range"),
            Row(#"{"format":"plue-duration","enum":["30s"]}"#, "30000ms"), Row(#"{"items":{"format":"ipv4"}}"#, "192.0.2.1, x", "type"),
            Row(#"{"anyOf":[{"format":"ipv4"},{"format":"hostname"}]}"#, "db_1", "any-of"),
            // annotations
            Row(#"{"deprecated":true}"#, "x", "deprecated?"),
            Row(#"{"title":"t","description":"d","examples":[1],"$comment":"c","readOnly":true}"#, "x"),
            Row(#"{"x-plue-advice":[{"minimum":5}],"type":"integer"}"#, "1", "range?"),
            // references
            Row(##"{"$ref":"#/$defs/port"}"##, "80"), Row(##"{"$ref":"#/$defs/port"}"##, "0", "range"),
            Row(##"{"$ref":"#/$defs/port","maximum":100}"##, "101", "range"),
            Row(##"{"$ref":"#/$defs/a~1b%20c"}"##, "x", "type"),
        ])
    func keyword(_ row: Row) throws {
        let schema = try ImportedSchema(
            #"{"$defs":{"port":{"type":"integer","minimum":1},"a/b c":{"type":"boolean"}},"properties":{"s":{"properties":{"k":"#
                + row.schema + "}}}}")
        let problems = schema.problems("[s]\nk = \(row.text)\n")
        #expect(problems == (row.code.map { ["\($0) s.k"] } ?? []))
    }

    @Test("A value has the type that its text was read as")
    func plainValues() throws {
        let model = try ImportedSchema(
            #"""
            {"properties":{"s":{"properties":{
              "i":{"type":"integer"},"n":{"type":"number"},"b":{"type":"boolean"},"l":{"type":"array","items":{"type":"integer"}},
              "d":{"format":"plue-duration"},"m":{"type":["integer","string"]},"u":{}}}}}
            """#
        ).model
        func plain(_ key: String, _ text: SettingText) throws -> PlainValue? {
            try model.setting(for: SettingKey(section: "s", name: key))?.decode(text).plain
        }
        #expect(try plain("i", .scalar("5")) == .integer(5))
        #expect(try plain("n", .scalar("5")) == .number(5))
        #expect(try plain("b", .scalar("Yes")) == .boolean(true))
        #expect(try plain("l", .list(["1", "2"])) == .list([.integer(1), .integer(2)]))
        #expect(try plain("d", .scalar("90s")) == .string("1m30s"))
        #expect(try plain("m", .scalar("5")) == .integer(5))
        #expect(try plain("m", .scalar("five")) == .string("five"))
        #expect(try plain("u", .scalar("5")) == .string("5"))
    }

    @Test("Defaults count as values, and a secret is one wherever writeOnly stands")
    func rows() throws {
        let model = try ImportedSchema(
            #"""
            {"properties":{"s":{"description":"A\nsection.","properties":{
              "port":{"type":"integer","default":8080,"description":"TCP port.","x-plue-restart":true},
              "hosts":{"items":{"type":"string"},"default":["a","b"]},
              "old":{"x-plue-use":"port","deprecated":true},
              "token":{"writeOnly":true},"either":{"anyOf":[{"writeOnly":true},{"const":"x"}]}},
              "required":["token"]},"vault":{"writeOnly":true,"properties":{"key":{}}}}}
            """#
        ).model
        let section = try #require(model.sections["s"])
        #expect(section.summary == "A section.")
        let port = try #require(section.settings["port"])
        #expect(port.defaultValue == .integer(8080) && port.summary == "TCP port." && port.effect == .restart && !port.isOptional)
        #expect(section.settings["hosts"]?.defaultValue == .list([.string("a"), .string("b")]))
        #expect(section.settings["old"]?.replacement == "port")
        #expect(section.settings["token"].map { $0.isSecret && $0.isRequired } == true)
        #expect(section.settings["either"]?.isSecret == true)
        #expect(model.sections["vault"]?.settings["key"]?.isSecret == true)
    }

    @Test("Messages say what is right in plain words")
    func words() throws {
        func message(_ schema: String, _ text: String) throws -> String {
            try ImportedSchema(#"{"properties":{"s":{"properties":{"k":"# + schema + "}}}}").messages("[s]\nk = \(text)\n").last ?? ""
        }
        #expect(try message(#"{"type":"integer","minimum":1,"maximum":65535}"#, "99999") == "s.k is 99999, but must be between 1 and 65535")
        #expect(try message(#"{"type":"integer"}"#, "x") == "s.k is 'x', but must be a whole number")
        #expect(try message(#"{"enum":["a","b"]}"#, "c") == "s.k is c, but must be one of a, b")
        #expect(
            try message(#"{"anyOf":[{"type":"integer","minimum":1},{"const":"auto"}]}"#, "0")
                == "s.k is 0, but must be a whole number and be at least 1, or be auto")
        #expect(try message(#"{"not":{"const":"root"}}"#, "root") == "s.k is root, but must not be root")
        #expect(try message(#"{"items":{"maximum":5}}"#, "1, 6") == "s.k is 1, 6, but has an item that must be at most 5")
        #expect(try message(#"{"writeOnly":true,"minLength":8}"#, "hunter2") == "s.k must have at least 8 characters")
    }
}
