import OrderedCollections

/// A rule about one value.
struct Constraint<Value: SettingValue>: Sendable {
    let code: DiagnosticCode
    let expected: String
    let requirement: String
    var jsonSchema: [String: JSONValue] = [:]
    var severity: Diagnostic.Severity = .error
    let holds: @Sendable (Value, RuleContext) -> Bool

    /// The rule with its type erased.
    /// - Parameter value: Takes the bare value out of what the settings struct stores.
    func over(_ value: @escaping @Sendable (any Sendable) -> Value?) -> ConstraintModel {
        ConstraintModel(
            code: code, expected: expected, requirement: requirement, jsonSchema: jsonSchema, severity: severity
        ) { [holds] stored, context in
            value(stored).map { holds($0, context) } ?? true
        }
    }
}

extension SettingTrait where Value: Comparable {
    /// The value lies in the range, both ends included.
    public static func range(_ range: ClosedRange<Value>) -> Self {
        Self(
            Constraint(
                code: "range", expected: "\(range.lowerBound.plainValue)...\(range.upperBound.plainValue)",
                requirement: "must be between \(range.lowerBound.plainValue) and \(range.upperBound.plainValue)",
                jsonSchema: bounds(minimum: range.lowerBound, maximum: range.upperBound)
            ) { value, _ in range.contains(value) })
    }

    /// The value is at least the bound.
    public static func range(_ range: PartialRangeFrom<Value>) -> Self {
        Self(
            Constraint(
                code: "range", expected: "\(range.lowerBound.plainValue)...",
                requirement: "must be at least \(range.lowerBound.plainValue)",
                jsonSchema: bounds(minimum: range.lowerBound, maximum: nil)
            ) { value, _ in range.contains(value) })
    }

    /// The value is at most the bound.
    public static func range(_ range: PartialRangeThrough<Value>) -> Self {
        Self(
            Constraint(
                code: "range", expected: "...\(range.upperBound.plainValue)",
                requirement: "must be at most \(range.upperBound.plainValue)",
                jsonSchema: bounds(minimum: nil, maximum: range.upperBound)
            ) { value, _ in range.contains(value) })
    }

    /// JSON Schema's words for bounds exist for numbers only; durations and sizes keep theirs as annotations.
    private static func bounds(minimum: Value?, maximum: Value?) -> [String: JSONValue] {
        let isNumeric =
            switch Value.kind {
            case .integer, .number: true;
            default: false
            }
        var keywords: [String: JSONValue] = [:]
        if let minimum { keywords[isNumeric ? "minimum" : "x-plue-minimum"] = JSONValue(minimum.plainValue) }
        if let maximum { keywords[isNumeric ? "maximum" : "x-plue-maximum"] = JSONValue(maximum.plainValue) }
        return keywords
    }
}

extension SettingTrait where Value: Equatable {
    /// The value is one of these.
    public static func oneOf(_ values: Value...) -> Self {
        let words = values.map(\.plainValue.description).joined(separator: ", ")
        return Self(
            Constraint(
                code: "one-of", expected: words, requirement: "must be one of \(words)",
                jsonSchema: ["enum": .array(values.map { JSONValue($0.plainValue) })]
            ) { value, _ in values.contains(value) })
    }
}

extension SettingTrait where Value: Collection {
    /// The text has at least one character, the list at least one item.
    public static var notEmpty: Self {
        Self(
            Constraint(
                code: "empty", expected: Value.kind.isList ? "at least one item" : "some text", requirement: "must not be empty",
                jsonSchema: [Value.kind.isList ? "minItems" : "minLength": 1]
            ) { value, _ in !value.isEmpty })
    }
}

extension SettingTrait where Value == String {
    /// The text's length in Unicode scalars, as JSON Schema counts.
    public static func length(_ range: ClosedRange<Int>) -> Self {
        Self(
            Constraint(
                code: "length", expected: "\(range.lowerBound) to \(range.upperBound) characters",
                requirement: "must have \(range.lowerBound) to \(range.upperBound) characters",
                jsonSchema: ["minLength": .integer(range.lowerBound), "maxLength": .integer(range.upperBound)]
            ) { value, _ in range.contains(value.unicodeScalars.count) })
    }

    /// The text's least length in Unicode scalars.
    public static func length(_ range: PartialRangeFrom<Int>) -> Self {
        Self(
            Constraint(
                code: "length", expected: "\(range.lowerBound) characters or more",
                requirement: "must have at least \(range.lowerBound) characters",
                jsonSchema: ["minLength": .integer(range.lowerBound)]
            ) { value, _ in value.unicodeScalars.count >= range.lowerBound })
    }

    /// The text contains a match of the regular expression; anchor it with `^…$` to mean the whole text, as in JSON Schema.
    ///
    /// An expression that does not compile never matches, which the schema's own check reports.
    public static func pattern(_ pattern: String) -> Self {
        let expression = try? RegularExpression(pattern)
        return Self(
            Constraint(
                code: "pattern", expected: "text matching \(pattern)", requirement: "must match \(pattern)",
                jsonSchema: ["pattern": .string(pattern)]
            ) { value, _ in expression?.matches(value) ?? false })
    }
}

extension SettingTrait {
    /// The list has so many items.
    public static func length<Item>(_ range: ClosedRange<Int>) -> Self where Value == [Item] {
        Self(
            Constraint(
                code: "length", expected: "\(range.lowerBound) to \(range.upperBound) items",
                requirement: "must have \(range.lowerBound) to \(range.upperBound) items",
                jsonSchema: ["minItems": .integer(range.lowerBound), "maxItems": .integer(range.upperBound)]
            ) { value, _ in range.contains(value.count) })
    }

    /// No item of the list appears twice.
    public static func unique<Item: Hashable>() -> Self where Value == [Item] {
        Self(
            Constraint(
                code: "unique", expected: "items that differ", requirement: "must not repeat an item",
                jsonSchema: ["uniqueItems": true]
            ) { value, _ in Set(value).count == value.count })
    }

    /// Every item of the list keeps the rule; a trait that is not a rule says nothing about items.
    public static func each<Item>(_ trait: SettingTrait<Item>) -> Self where Value == [Item] {
        guard case .constraint(let rule) = trait.part else {
            return Self(Constraint(code: "custom", expected: "", requirement: "") { _, _ in true })
        }
        return Self(
            Constraint(
                code: rule.code, expected: "each item: \(rule.expected)", requirement: "has an item that \(rule.requirement)",
                jsonSchema: rule.jsonSchema.isEmpty
                    ? [:] : ["items": .object(.init(uniqueKeysWithValues: rule.jsonSchema.sorted { $0.key < $1.key }))],
                severity: rule.severity
            ) { value, context in value.allSatisfy { rule.holds($0, context) } })
    }
}
