/// A leaf of a schema as a row: which texts it takes, as what, and under which rules.
extension JSONSchemaNode {
    /// - Parameter isSecret: Whether a section around it says so.
    func setting(named name: String, isRequired: Bool, isSecret: Bool) -> SettingModel {
        let secret = isSecret || self.isSecret()
        let parts = members
        let replacement = parts.lazy.compactMap(\.keywords.replacement).first
        var constraints = rules.map(\.model)
        if replacement == nil, parts.contains(where: \.keywords.isDeprecated) {
            constraints.append(
                ConstraintModel(
                    code: "deprecated", expected: "it left out", requirement: "is deprecated and should be left out", severity: .warning
                ) { _, _ in false })
        }
        let reading = JSONSchemaReading(self)
        let fallback = parts.lazy.compactMap(\.keywords.defaultValue).first.flatMap { $0 == .null ? nil : $0 }
            .flatMap { SettingText(json: $0, isList: reading.kind.isList) }
            .flatMap { try? reading.value(of: $0) }
        return SettingModel(
            name: name, summary: summary, kind: reading.kind, isRequired: isRequired, isSecret: secret,
            isOptional: !isRequired && fallback == nil, replacement: replacement,
            effect: parts.contains(where: \.keywords.needsRestart) ? .restart : .live,
            defaultValue: fallback.flatMap(PlainValue.init), constraints: constraints
        ) { (text) throws(ConversionProblem) in
            let value = try reading.value(of: text)
            return SettingModel.Decoded(value: value, plain: PlainValue(value) ?? .string(text.scalar))
        }
    }

    /// What the schema says in a line: its description, else its title.
    var summary: String {
        let parts = members
        let text = parts.lazy.compactMap(\.keywords.description).first ?? parts.lazy.compactMap(\.keywords.title).first ?? ""
        return text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// Why the default cannot be one, and where; `nil` when there is none or it is right.
    var wrongDefault: (reason: String, place: Range<Int>)? {
        for part in members {
            guard let value = part.keywords.defaultValue, value != .null, let place = part.keywords.defaultPlace else { continue }
            let reading = JSONSchemaReading(self)
            guard let text = SettingText(json: value, isList: reading.kind.isList) else { return ("is no value of a setting", place) }
            do {
                let value = try reading.value(of: text)
                if let rule = rules.first(where: { $0.severity == .error && !$0.holds(value) }) {
                    return ("breaks its own rule: it \(rule.requirement)", place)
                }
            } catch {
                return ("must be \(error.expected)", place)
            }
        }
        return nil
    }
}

/// The reading of text as the types that a schema allows.
struct JSONSchemaReading: Sendable {
    private let schema: JSONSchemaNode
    /// In the order they are tried.
    private let types: [JSONSchemaType]
    /// The formats that every text has to have.
    private let formats: [JSONSchemaFormat]
    /// The schemas that items may be read by.
    private let items: [JSONSchemaReading]
    private let itemSchemas: [JSONSchemaNode]
    let kind: ValueKind

    init(_ schema: JSONSchemaNode) {
        self.schema = schema
        // Every whole number is a number, and one value must have one form.
        let allowed = schema.types.contains(.number) ? schema.types.subtracting([.integer]) : schema.types
        types = JSONSchemaType.allCases.filter(allowed.contains)
        let members = schema.members
        formats = members.compactMap(\.keywords.format)
        let own = members.compactMap(\.keywords.items)
        let possible = schema.conditions.compactMap(\.keywords.items)
        itemSchemas = own + possible
        // What every item has to be comes first, as one schema.
        items = (own.isEmpty ? [] : [JSONSchemaReading(JSONSchemaNode(all: own, hints: possible))]) + possible.map(JSONSchemaReading.init)
        kind = Self.kind(types, members, formats, item: items.first?.kind)
    }

    private static func kind(
        _ types: [JSONSchemaType], _ members: [JSONSchemaNode], _ formats: [JSONSchemaFormat], item: ValueKind?
    ) -> ValueKind {
        switch types.filter({ $0 != .null }) {
        case [.boolean]: return .boolean
        case [.integer]: return .integer(minimum: .min, maximum: .max)
        case [.number]: return .number
        case let types where types.contains(.array): return .list(of: item ?? .string(format: nil))
        case [.string]:
            let words = members.compactMap(\.keywords.enumerations.first).first?.compactMap { value in
                if case .string(let word) = value { word } else { nil }
            }
            if let words, !words.isEmpty { return .choice(words) }
            return formats.first?.kind ?? .string(format: nil)
        default: return .string(format: nil)
        }
    }

    /// The text's value: the first reading that keeps every rule, else the first there is, for the rules to complain about.
    func value(of text: SettingText) throws(ConversionProblem) -> JSONValue {
        let readings = readings(of: text)
        guard let first = readings.first else {
            throw ConversionProblem(expected: JSONSchemaType.summary(of: Set(types)), item: nil)
        }
        if let value = readings.first(where: schema.accepts) { return value }
        if case .string(let text) = first, let format = formats.first(where: { $0.canonical(text) == nil }) {
            throw ConversionProblem(expected: format.summary)
        }
        if case .array(let values) = first, let items = items.first {
            for (index, value) in values.enumerated() {
                do {
                    _ = try items.value(of: SettingText(json: value, isList: false) ?? .scalar(""))
                } catch {
                    throw ConversionProblem(expected: error.expected, hint: error.hint, item: index)
                }
            }
        }
        return first
    }

    private func readings(of text: SettingText) -> [JSONValue] {
        types.flatMap { type -> [JSONValue] in
            switch (type, text) {
            case (.array, .list(let texts)): return lists(texts)
            case (.null, _), (.object, _): return []
            // A list's one item may be meant as the value itself.
            case (_, .list(let texts)) where texts.count != 1: return type == .string ? [.string(text.scalar)] : []
            default: return scalar(type, text.scalar).map { [$0] } ?? []
            }
        }
    }

    private func scalar(_ type: JSONSchemaType, _ text: String) -> JSONValue? {
        switch type {
        case .boolean: (try? Bool(setting: .scalar(text))).map(JSONValue.boolean)
        case .integer: Int(text).map(JSONValue.integer)
        // Swift reads more than decimal numbers: hexadecimal ones, "inf", "nan".
        case .number:
            text.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) } ? Double(text).flatMap { $0.isFinite ? .number($0) : nil } : nil
        case .string: .string(formats.lazy.compactMap { $0.canonical(text) }.first ?? text)
        case .array, .null, .object: nil
        }
    }

    /// The items read as each schema for them would have it.
    private func lists(_ texts: [String]) -> [JSONValue] {
        guard !items.isEmpty else { return [.array(texts.map(JSONValue.string))] }
        let lists = items.map { item in
            JSONValue.array(texts.map { text in (try? item.value(of: .scalar(text))) ?? .string(text) })
        }
        return lists.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}

extension SettingText {
    /// The text that a JSON value would be written with; `nil` for what no setting can be.
    init?(json: JSONValue, isList: Bool) {
        switch json {
        case .array(let items):
            let texts = items.compactMap { SettingText(json: $0, isList: false)?.scalar }
            guard isList, texts.count == items.count else { return nil }
            self = .list(texts)
        case .object, .null: return nil
        default:
            guard let plain = PlainValue(json) else { return nil }
            self = isList ? .list([plain.description]) : .scalar(plain.description)
        }
    }
}

extension PlainValue {
    /// The plain form of a JSON value; `nil` for null and objects.
    init?(_ json: JSONValue) {
        switch json {
        case .boolean(let flag): self = .boolean(flag)
        case .integer(let number): self = .integer(number)
        case .number(let number): self = .number(number)
        case .string(let text): self = .string(text)
        case .array(let items): self = .list(items.compactMap(PlainValue.init))
        case .null, .object: return nil
        }
    }
}
