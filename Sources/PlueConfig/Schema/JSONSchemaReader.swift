import Foundation
import OrderedCollections

/// Reads a JSON document as a schema: every keyword known, every reference followed, every problem with its place.
struct JSONSchemaReader {
    let text: JSONText
    private let root: JSONText.Node
    private(set) var problems: [Diagnostic] = []
    /// The references being followed, outermost first; meeting one again is a cycle.
    private var open: [String] = []
    private var depth = 0
    private var count = 0

    /// Schemas inside schemas, references followed.
    private static let deepest = 128
    /// A few references that each name the next one twice describe more schemas than any memory holds.
    private static let largest = 100_000
    private static let mostProblems = 100

    init(_ text: JSONText, root: JSONText.Node) {
        self.text = text
        self.root = root
    }

    mutating func read() -> JSONSchemaNode { schema(root) }

    mutating func report(
        _ code: DiagnosticCode, _ range: Range<Int>, _ message: String, label: String? = nil, hint: String? = nil
    ) {
        let problem = Diagnostic(code, at: text.location(of: range), message, label: label, hint: hint)
        // A definition is read once by itself and once for each reference to it.
        if problems.count < Self.mostProblems, !problems.contains(problem) { problems.append(problem) }
    }

    // MARK: - A schema

    private mutating func schema(_ node: JSONText.Node) -> JSONSchemaNode {
        var keywords = JSONSchemaNode.Keywords()
        count += 1
        depth += 1
        defer { depth -= 1 }
        // One of these is enough: what follows it is the same again.
        guard count <= Self.largest else {
            if count == Self.largest + 1 {
                report(
                    "schema-too-large", node.range.prefix(1), "with its references followed, the schema has more than \(Self.largest) parts"
                )
            }
            return JSONSchemaNode(keywords, at: node.range)
        }
        guard depth <= Self.deepest else {
            report(
                "schema-too-deep", node.range.prefix(1), "with its references followed, the schema is more than \(Self.deepest) levels deep"
            )
            return JSONSchemaNode(keywords, at: node.range)
        }
        switch node.content {
        case .boolean(let isAlways): keywords.isNever = !isAlways
        case .object(let members):
            for (name, member) in members { read(name, member, into: &keywords) }
            if keywords.condition == nil, let member = members["then"] ?? members["else"] {
                report("invalid-schema", member.nameRange, "'then' and 'else' do nothing without 'if'", hint: "add 'if', or take them away")
            }
        default: report("invalid-schema", node.range, "a schema is an object, true or false")
        }
        return JSONSchemaNode(keywords, at: node.range)
    }

    private mutating func read(_ name: String, _ member: JSONText.Member, into keywords: inout JSONSchemaNode.Keywords) {
        let value = member.value
        switch name {
        case "type": keywords.types = types(value)
        case "enum":
            let values = array(name, value).map(\.value)
            if values.isEmpty { report("invalid-schema", value.range, "'enum' lists no value, so nothing would be valid") }
            keywords.enumerations.append(values)
        case "const": keywords.enumerations.append([value.value])
        case "minimum": keywords.minimum = number(name, value)
        case "maximum": keywords.maximum = number(name, value)
        case "exclusiveMinimum": keywords.exclusiveMinimum = number(name, value)
        case "exclusiveMaximum": keywords.exclusiveMaximum = number(name, value)
        case "minLength": keywords.minLength = size(name, value)
        case "maxLength": keywords.maxLength = size(name, value)
        case "minItems": keywords.minItems = size(name, value)
        case "maxItems": keywords.maxItems = size(name, value)
        case "uniqueItems": keywords.isUnique = flag(name, value)
        case "pattern": keywords.pattern = string(name, value).flatMap { pattern($0, value.range) }
        case "format": keywords.format = string(name, value).flatMap { format($0, value.range) }
        case "items": keywords.items = schema(value)
        case "properties":
            for (property, member) in object(name, value) { keywords.properties[property] = schema(member.value) }
        case "patternProperties":
            for (source, member) in object(name, value) {
                let schema = schema(member.value)
                if let pattern = pattern(source, member.nameRange) { keywords.patternProperties.append((pattern, schema)) }
            }
        case "additionalProperties": keywords.additionalProperties = schema(value)
        case "required": keywords.required = names(name, value)
        case "dependentRequired":
            for (property, member) in object(name, value) { keywords.dependentRequired[property] = names(name, member.value) }
        case "allOf": keywords.allOf += schemas(name, value)
        case "anyOf": keywords.anyOf = schemas(name, value)
        case "oneOf": keywords.oneOf = schemas(name, value)
        case "not": keywords.not = schema(value)
        case "if": keywords.condition = schema(value)
        case "then": keywords.then = schema(value)
        case "else": keywords.otherwise = schema(value)
        case "$ref": if let target = reference(value) { keywords.allOf.append(target) }
        case "$defs": for (_, member) in object(name, value) { _ = schema(member.value) }
        case "default":
            keywords.defaultValue = value.value
            keywords.defaultPlace = value.range
        case "deprecated": keywords.isDeprecated = flag(name, value)
        case "writeOnly": keywords.isSecret = flag(name, value)
        case "title": keywords.title = string(name, value)
        case "description": keywords.description = string(name, value)
        case "$comment": _ = string(name, value)
        case "examples": _ = array(name, value)
        case "readOnly": _ = flag(name, value)
        case "$schema":
            if let dialect = string(name, value), dialect != Self.dialect, dialect != Self.dialect + "#" {
                report(
                    "unsupported-schema", value.range, "the schema is written in another dialect than 2020-12",
                    hint: "Plue reads \(Self.dialect)")
            }
        case "$id":
            // Inside the document it would give every reference below it another base.
            if depth > 1 { report("unsupported-schema", member.nameRange, "'$id' is read at the top of the document only") }
            _ = string(name, value)
        case "x-plue-minimum": keywords.least = bound(name, value)
        case "x-plue-maximum": keywords.most = bound(name, value)
        case "x-plue-advice": keywords.advice = schemas(name, value)
        case "x-plue-use": keywords.replacement = string(name, value)
        case "x-plue-restart": keywords.needsRestart = flag(name, value)
        case "x-plue-rules": _ = array(name, value).map { string(name, $0) }
        default:
            let suggestion = nearest(name, among: Self.known)
            report(
                "unknown-schema-keyword", member.nameRange, "unknown keyword '\(name)'", label: suggestion.map { "did you mean '\($0)'?" },
                hint: suggestion == nil ? "Plue reads a subset of JSON Schema 2020-12 and ignores nothing" : nil)
        }
    }

    static let dialect = "https://json-schema.org/draft/2020-12/schema"

    private static let known = [
        "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern",
        "format",
        "items", "minItems", "maxItems", "uniqueItems", "properties", "patternProperties", "additionalProperties", "required",
        "dependentRequired", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "$defs", "default", "deprecated", "writeOnly",
        "readOnly", "title", "description", "examples", "$comment", "$schema", "$id", "x-plue-minimum", "x-plue-maximum", "x-plue-advice",
        "x-plue-use", "x-plue-restart", "x-plue-rules",
    ]

    // MARK: - References

    private mutating func reference(_ node: JSONText.Node) -> JSONSchemaNode? {
        guard let reference = string("$ref", node) else { return nil }
        guard reference.hasPrefix("#"), let target = target(of: reference.dropFirst()) else {
            let isLocal = reference.hasPrefix("#")
            report(
                "unresolved-ref", node.range,
                isLocal ? "'\(reference)' names nothing in this document" : "'\(reference)' names another document",
                hint: isLocal ? nil : "references lead into the same document: #/$defs/name")
            return nil
        }
        if let start = open.firstIndex(of: reference) {
            let chain = (open[start...] + [reference]).joined(separator: " → ")
            report(
                "ref-cycle", node.range, "the references lead back to where they started: \(chain)",
                hint: "a document has no endless depth; write the levels out")
            return nil
        }
        open.append(reference)
        defer { open.removeLast() }
        return schema(target)
    }

    /// What a JSON Pointer, as a URI fragment, names.
    private func target(of fragment: Substring) -> JSONText.Node? {
        guard let pointer = String(fragment).removingPercentEncoding, pointer.isEmpty || pointer.hasPrefix("/") else { return nil }
        var node = root
        for token in pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let token = String(token).replacing("~1", with: "/").replacing("~0", with: "~")
            switch node.content {
            case .object(let members):
                guard let member = members[token] else { return nil }
                node = member.value
            case .array(let items):
                guard let index = Int(token), items.indices.contains(index), String(index) == token else { return nil }
                node = items[index]
            default: return nil
            }
        }
        return node
    }

    // MARK: - The values of keywords

    private mutating func types(_ node: JSONText.Node) -> [JSONSchemaType]? {
        let nodes = if case .array(let items) = node.content { items } else { [node] }
        if nodes.isEmpty { report("invalid-schema", node.range, "'type' lists no type, so nothing would be valid") }
        return nodes.compactMap { node in
            guard case .string(let name) = node.content else {
                report("invalid-schema", node.range, "'type' takes a type's name or a list of them")
                return nil
            }
            guard let type = JSONSchemaType(rawValue: name) else {
                let names = JSONSchemaType.allCases.map(\.rawValue)
                report(
                    "invalid-schema", node.range, "there is no type '\(name)'",
                    label: nearest(name, among: names).map { "did you mean '\($0)'?" },
                    hint: "the types are \(names.joined(separator: ", "))")
                return nil
            }
            return type
        }
    }

    private mutating func pattern(_ source: String, _ range: Range<Int>) -> RegularExpression? {
        // The compiler of expressions recurses into groups.
        guard source.utf8.count <= 4096, source.utf8.count(where: { $0 == UInt8(ascii: "(") }) <= 200 else {
            report("invalid-schema", range, "the regular expression is too long or has too many groups")
            return nil
        }
        guard let pattern = try? RegularExpression(source) else {
            report("invalid-schema", range, "this is not a regular expression")
            return nil
        }
        return pattern
    }

    private mutating func format(_ name: String, _ range: Range<Int>) -> JSONSchemaFormat? {
        guard let format = JSONSchemaFormat.named(name) else {
            let suggestion = nearest(name, among: JSONSchemaFormat.names)
            report(
                "unknown-format", range, "unknown format '\(name)', which would check nothing",
                label: suggestion.map { "did you mean '\($0)'?" },
                hint: suggestion == nil ? "the formats are \(JSONSchemaFormat.names.joined(separator: ", "))" : nil)
            return nil
        }
        return format
    }

    private mutating func number(_ name: String, _ node: JSONText.Node) -> JSONNumber? {
        guard let number = JSONNumber(node.value) else {
            report("invalid-schema", node.range, "'\(name)' takes a number")
            return nil
        }
        return number
    }

    private mutating func size(_ name: String, _ node: JSONText.Node) -> Int? {
        switch node.content {
        case .integer(let size) where size >= 0: return size
        case .number(let size) where size >= 0: if let size = Int(exactly: size) { return size }
        default: break
        }
        report("invalid-schema", node.range, "'\(name)' takes a whole number, 0 or more")
        return nil
    }

    private mutating func flag(_ name: String, _ node: JSONText.Node) -> Bool {
        if case .boolean(let flag) = node.content { return flag }
        report("invalid-schema", node.range, "'\(name)' takes true or false")
        return false
    }

    private mutating func string(_ name: String, _ node: JSONText.Node) -> String? {
        if case .string(let text) = node.content { return text }
        report("invalid-schema", node.range, "'\(name)' takes a string")
        return nil
    }

    private mutating func bound(_ name: String, _ node: JSONText.Node) -> JSONValue? {
        string(name, node).map(JSONValue.string)
    }

    private mutating func array(_ name: String, _ node: JSONText.Node) -> [JSONText.Node] {
        if case .array(let items) = node.content { return items }
        report("invalid-schema", node.range, "'\(name)' takes a list")
        return []
    }

    private mutating func object(_ name: String, _ node: JSONText.Node) -> OrderedDictionary<String, JSONText.Member> {
        if case .object(let members) = node.content { return members }
        report("invalid-schema", node.range, "'\(name)' takes an object")
        return [:]
    }

    private mutating func schemas(_ name: String, _ node: JSONText.Node) -> [JSONSchemaNode] {
        let items = array(name, node)
        if items.isEmpty { report("invalid-schema", node.range, "'\(name)' takes a list of at least one schema") }
        return items.map { schema($0) }
    }

    private mutating func names(_ name: String, _ node: JSONText.Node) -> [String] {
        var names: OrderedSet<String> = []
        for item in array(name, node) {
            guard let property = string(name, item) else { continue }
            if !names.append(property).inserted { report("invalid-schema", item.range, "'\(property)' stands twice in '\(name)'") }
        }
        return names.elements
    }
}
