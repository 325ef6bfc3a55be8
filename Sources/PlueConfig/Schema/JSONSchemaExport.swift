import OrderedCollections

/// JSON Schema out: what editors, other programs and `SectionModel(jsonSchema:name:)` read.
extension SectionModel {
    /// The schema as JSON Schema 2020-12: every section an object, every setting a property with its type, default and rules.
    ///
    /// What JSON Schema has no words for stays as an annotation: `x-plue-minimum` and `x-plue-maximum` (bounds of durations and
    /// sizes), `x-plue-restart`, `x-plue-use` (the name that replaces a deprecated one), `x-plue-advice` (rules that only warn) and
    /// `x-plue-rules` (the names of rules that are Swift code). Defaults of secrets are left out.
    public func jsonSchema(title: String) -> JSONValue {
        var schema: OrderedDictionary<String, JSONValue> = ["$schema": .string(JSONSchemaReader.dialect), "title": .string(title)]
        schema.merge(object, uniquingKeysWith: { first, _ in first })
        return .object(schema)
    }

    private var object: OrderedDictionary<String, JSONValue> {
        var schema: OrderedDictionary<String, JSONValue> = ["type": "object"]
        if !summary.isEmpty { schema["description"] = .string(summary) }
        var properties: OrderedDictionary<String, JSONValue> = [:]
        for (name, setting) in settings { properties[name] = setting.jsonSchema }
        for (name, section) in sections { properties[name] = .object(section.object) }
        if !properties.isEmpty { schema["properties"] = .object(properties) }
        let required = settings.values.filter(\.isRequired).map(\.name) + sections.filter { $1.isRequired }.map(\.key)
        if !required.isEmpty { schema["required"] = .array(required.map(JSONValue.string)) }
        if !patterns.isEmpty {
            let schemas = patterns.map { ($0.pattern.source, $0.setting?.jsonSchema ?? .object($0.section?.value.object ?? [:])) }
            schema["patternProperties"] = .object(.init(schemas, uniquingKeysWith: { ["allOf": [$0, $1]] }))
        }
        schema["additionalProperties"] = others
        if !rules.isEmpty { schema["x-plue-rules"] = .array(rules.map { .string($0.name) }) }
        return schema
    }

    private var others: JSONValue {
        switch (anySection, anySetting) {
        case (nil, nil): .boolean(isOpen)
        case (let section?, nil): .object(section.value.object)
        case (nil, let setting?): setting.jsonSchema
        case (let section?, let setting?): ["anyOf": [.object(section.value.object), setting.jsonSchema]]
        }
    }

    /// Whether it has to be there because something in it has to be set.
    private var isRequired: Bool {
        !isOptional && (settings.values.contains(where: \.isRequired) || sections.values.contains(where: \.isRequired))
    }
}

extension SettingModel {
    /// The setting as a schema of its own.
    var jsonSchema: JSONValue {
        var schema = kind.jsonSchema
        // A rule's keywords come without an order; this one puts minimum before maximum.
        for constraint in constraints where constraint.severity == .error {
            schema.demand(OrderedDictionary(uniqueKeysWithValues: constraint.jsonSchema.sorted { $0.key > $1.key }))
        }
        // A list's value has an item's schema inside, which a rule about items adds to.
        let advice = constraints.filter { $0.severity == .warning && !$0.jsonSchema.isEmpty }
        if !summary.isEmpty { schema["description"] = .string(summary) }
        if let defaultValue, !isSecret, !isRequired { schema["default"] = JSONValue(defaultValue) }
        if isSecret { schema["writeOnly"] = true }
        if let replacement {
            schema["deprecated"] = true
            schema["x-plue-use"] = .string(replacement)
        } else if constraints.contains(where: { $0.code == "deprecated" }) {
            schema["deprecated"] = true
        }
        if effect == .restart { schema["x-plue-restart"] = true }
        if !advice.isEmpty {
            schema["x-plue-advice"] = .array(
                advice.map { .object(OrderedDictionary(uniqueKeysWithValues: $0.jsonSchema.sorted { $0.key > $1.key })) })
        }
        return .object(schema)
    }
}

extension ValueKind {
    /// The kind as a schema: its type, and a pattern that tells other programs' validators what the text looks like.
    fileprivate var jsonSchema: OrderedDictionary<String, JSONValue> {
        switch self {
        case .string(format: nil): return ["type": "string"]
        case .string(format: let format?):
            // An unknown format would make the schema unreadable for ourselves.
            return JSONSchemaFormat.named(format) == nil ? ["type": "string"] : ["type": "string", "format": .string(format)]
        case .boolean: return ["type": "boolean"]
        case .integer(let minimum, let maximum):
            var schema: OrderedDictionary<String, JSONValue> = ["type": "integer"]
            if minimum != .min { schema["minimum"] = .integer(minimum) }
            if maximum != .max { schema["maximum"] = .integer(maximum) }
            return schema
        case .number: return ["type": "number"]
        case .duration:
            return ["type": "string", "format": "plue-duration", "pattern": #"^(0|(?=\d)(\d+d)?(\d+h)?(\d+m(?!s))?(\d+s)?(\d+ms)?)$"#]
        case .byteSize: return ["type": "string", "format": "plue-byte-size", "pattern": #"^\d+ *([KMGT]i?B|B)?$"#]
        case .choice(let words): return ["type": "string", "enum": .array(words.map(JSONValue.string))]
        case .list(let item): return ["type": "array", "items": .object(item.jsonSchema)]
        }
    }
}

extension OrderedDictionary<String, JSONValue> {
    /// Adds what a rule demands. Where both say something, both hold: items become one schema, bounds the narrower one, and
    /// what cannot be put into one keyword goes to `allOf`.
    fileprivate mutating func demand(_ keywords: OrderedDictionary<String, JSONValue>) {
        var rest: OrderedDictionary<String, JSONValue> = [:]
        for (name, value) in keywords {
            guard let own = self[name], own != value else {
                self[name] = value
                continue
            }
            switch (name, own, value) {
            case ("items", .object(var items), .object(let demanded)):
                items.demand(demanded)
                self[name] = .object(items)
            case ("minimum", _, _), ("minLength", _, _), ("minItems", _, _): narrow(name, own, value, &rest) { $0 > $1 }
            case ("maximum", _, _), ("maxLength", _, _), ("maxItems", _, _): narrow(name, own, value, &rest) { $0 < $1 }
            default: rest[name] = value
            }
        }
        guard !rest.isEmpty else { return }
        let all: [JSONValue] = if case .array(let all)? = self["allOf"] { all } else { [] }
        self["allOf"] = .array(all + [.object(rest)])
    }

    private mutating func narrow(
        _ name: String, _ own: JSONValue, _ value: JSONValue, _ rest: inout Self, isNarrower: (JSONNumber, JSONNumber) -> Bool
    ) {
        guard let left = JSONNumber(own), let right = JSONNumber(value) else {
            rest[name] = value
            return
        }
        if isNarrower(right, left) { self[name] = value }
    }
}
