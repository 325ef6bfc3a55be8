import OrderedCollections

/// One schema of a JSON Schema document, its references followed.
///
/// Configuration is text, and JSON Schema speaks of typed values. So a text is *read* as each type the schema allows, the
/// narrowest first (`5` as a whole number before as text), and is valid when one of those readings is, by the letter of the
/// specification. Where a schema names no type, its keywords do: `minimum` makes a number of it, `pattern` a text.
final class JSONSchemaNode: Sendable {
    let keywords: Keywords
    /// Where the schema stands in its document.
    let place: Range<Int>
    /// The types that `type` leaves, here and in everything that holds as well; `nil` when there is none.
    let declaredTypes: Set<JSONSchemaType>?
    /// The types that keywords speak about, here and in everything that holds as well.
    let assertedTypes: Set<JSONSchemaType>
    /// The types that any branch below speaks about.
    let mentionedTypes: Set<JSONSchemaType>
    /// What a single value has to keep, the rules of everything that holds as well included.
    let rules: [JSONSchemaRule]

    init(_ keywords: Keywords, at place: Range<Int>) {
        self.keywords = keywords
        self.place = place
        var declared = keywords.types.map(Set.init)
        var asserted = keywords.typesOfAssertions
        for part in keywords.allOf {
            if let types = part.declaredTypes { declared = declared.map { JSONSchemaType.common($0, types) } ?? types }
            asserted.formUnion(part.assertedTypes)
        }
        declaredTypes = declared
        assertedTypes = asserted
        mentionedTypes = keywords.branches.reduce(into: keywords.typesOfValues) { types, branch in
            types.formUnion(branch.declaredTypes ?? branch.assertedTypes.union(branch.mentionedTypes))
        }
        rules = JSONSchemaRule.all(of: keywords)
    }

    /// A schema that demands all of these at once.
    /// - Parameter hints: Conditions elsewhere that look at the same value, and so tell what type it has when nothing else does.
    convenience init(all parts: [JSONSchemaNode], hints: [JSONSchemaNode] = []) {
        var keywords = Keywords()
        keywords.allOf = parts
        keywords.hints = hints
        self.init(keywords, at: parts.first?.place ?? hints.first?.place ?? 0..<0)
    }

    /// The types that a text may be read as.
    var types: Set<JSONSchemaType> {
        if let declaredTypes { return declaredTypes }
        if !assertedTypes.isEmpty { return assertedTypes }
        return mentionedTypes.isEmpty ? [.string] : mentionedTypes.union([.string])
    }

    /// This schema and everything that holds as well: what `allOf` and `$ref` name, to any depth.
    var members: [JSONSchemaNode] { [self] + keywords.allOf.flatMap(\.members) }

    /// The schemas of the branches that may or may not hold, to any depth.
    var conditions: [JSONSchemaNode] {
        members.flatMap { member in member.keywords.branches.filter { branch in !member.keywords.allOf.contains { $0 === branch } } }
            .flatMap { $0.members + $0.conditions }
    }

    /// Whether it, or any branch of it, says `writeOnly`: what may be secret is treated so.
    func isSecret() -> Bool {
        keywords.isSecret || keywords.branches.contains { $0.isSecret() } || (keywords.items?.isSecret() ?? false)
    }

    /// What a schema says, keyword by keyword.
    struct Keywords: Sendable {
        /// The schema `false`.
        var isNever = false
        var types: [JSONSchemaType]?
        /// `enum`, or `const` as an enumeration of one.
        var enumerations: [[JSONValue]] = []
        var minimum: JSONNumber?
        var maximum: JSONNumber?
        var exclusiveMinimum: JSONNumber?
        var exclusiveMaximum: JSONNumber?
        /// `x-plue-minimum`, `x-plue-maximum`: bounds of durations and sizes.
        var least: JSONValue?
        var most: JSONValue?
        var minLength: Int?
        var maxLength: Int?
        var pattern: RegularExpression?
        var format: JSONSchemaFormat?
        var items: JSONSchemaNode?
        var minItems: Int?
        var maxItems: Int?
        var isUnique = false
        var properties: OrderedDictionary<String, JSONSchemaNode> = [:]
        var patternProperties: [(pattern: RegularExpression, schema: JSONSchemaNode)] = []
        var additionalProperties: JSONSchemaNode?
        var required: [String] = []
        var dependentRequired: OrderedDictionary<String, [String]> = [:]
        /// `allOf`, and what `$ref` names.
        var allOf: [JSONSchemaNode] = []
        var anyOf: [JSONSchemaNode]?
        var oneOf: [JSONSchemaNode]?
        var not: JSONSchemaNode?
        var condition: JSONSchemaNode?
        var then: JSONSchemaNode?
        var otherwise: JSONSchemaNode?
        /// `x-plue-advice`: what is only warned about.
        var advice: [JSONSchemaNode] = []
        var hints: [JSONSchemaNode] = []
        var title: String?
        var description: String?
        var defaultValue: JSONValue?
        var defaultPlace: Range<Int>?
        var isDeprecated = false
        /// `x-plue-use`.
        var replacement: String?
        var isSecret = false
        /// `x-plue-restart`.
        var needsRestart = false

        /// Every schema that this one applies to the same value.
        var branches: [JSONSchemaNode] {
            allOf + (anyOf ?? []) + (oneOf ?? []) + [not, condition, then, otherwise].compactMap(\.self) + hints
        }

        var hasObjectKeywords: Bool {
            !properties.isEmpty || !patternProperties.isEmpty || additionalProperties != nil || !required.isEmpty
                || !dependentRequired.isEmpty
        }

        var typesOfAssertions: Set<JSONSchemaType> {
            var types: Set<JSONSchemaType> = []
            if minimum != nil || maximum != nil || exclusiveMinimum != nil || exclusiveMaximum != nil {
                types.formUnion([.integer, .number])
            }
            if minLength != nil || maxLength != nil || pattern != nil || format != nil || least != nil || most != nil {
                types.insert(.string)
            }
            if items != nil || minItems != nil || maxItems != nil || isUnique { types.insert(.array) }
            if hasObjectKeywords { types.insert(.object) }
            return types
        }

        var typesOfValues: Set<JSONSchemaType> { Set(enumerations.joined().map(JSONSchemaType.init)) }
    }
}

/// JSON Schema's types.
enum JSONSchemaType: String, Hashable, Sendable, CaseIterable {
    /// In the order a text is tried: the narrowest first.
    case boolean, integer, number, array, string, null, object

    init(_ value: JSONValue) {
        self =
            switch value {
            case .null: .null
            case .boolean: .boolean
            case .integer: .integer
            case .number: .number
            case .string: .string
            case .array: .array
            case .object: .object
            }
    }

    func includes(_ value: JSONValue) -> Bool {
        switch (self, value) {
        case (.integer, .number(let number)): number == number.rounded()
        case (.number, .integer): true
        default: self == JSONSchemaType(value)
        }
    }

    /// The types in both sets; every whole number is a number.
    static func common(_ left: Set<Self>, _ right: Set<Self>) -> Set<Self> {
        var both = left.intersection(right)
        if left.contains(.integer) && right.contains(.number) || left.contains(.number) && right.contains(.integer) {
            both.insert(.integer)
        }
        return both
    }

    /// The type in a few words, as messages say it.
    var summary: String {
        switch self {
        case .boolean: "true or false"
        case .integer: "a whole number"
        case .number: "a number"
        case .array: "a list"
        case .string: "text"
        case .null: "left out"
        case .object: "a section"
        }
    }

    static func summary(of types: Set<Self>) -> String {
        // What is a number may be a whole one; null cannot be written.
        let named = allCases.filter {
            types.contains($0) && !($0 == .integer && types.contains(.number)) && ($0 != .null || types.count == 1)
        }
        return named.isEmpty ? "left out" : named.map(\.summary).joined(separator: " or ")
    }
}

/// A number as a schema writes it, compared exactly.
enum JSONNumber: Sendable, Comparable, CustomStringConvertible {
    case integer(Int)
    case number(Double)

    init?(_ value: JSONValue) {
        switch value {
        case .integer(let number): self = .integer(number)
        case .number(let number): self = .number(number)
        default: return nil
        }
    }

    static func == (left: Self, right: Self) -> Bool { !(left < right) && !(right < left) }

    static func < (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.integer(let a), .integer(let b)): a < b
        case (.number(let a), .number(let b)): a < b
        case (.integer(let a), .number(let b)): Int(exactly: b.rounded(.up)).map { a < $0 } ?? (b > 0)
        case (.number(let a), .integer(let b)): Int(exactly: a.rounded(.down)).map { $0 < b } ?? (a < 0)
        }
    }

    var description: String {
        switch self {
        case .integer(let number): String(number)
        case .number(let number): Int(exactly: number).map(String.init) ?? String(number)
        }
    }
}

extension JSONValue {
    /// Whether both are the same value as JSON Schema sees it: `1` and `1.0` are.
    func isSame(as other: JSONValue) -> Bool {
        if let left = JSONNumber(self), let right = JSONNumber(other) { return left == right }
        switch (self, other) {
        case (.array(let left), .array(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { $0.isSame(as: $1) }
        case (.object(let left), .object(let right)):
            return left.count == right.count && left.allSatisfy { name, value in right[name].map(value.isSame) ?? false }
        default: return self == other
        }
    }

    /// A value as messages say it: text without quotes.
    var words: String {
        switch self {
        case .string(let text): text.isEmpty ? "empty" : text
        case .array(let items): items.map(\.words).joined(separator: ", ")
        default: text()
        }
    }
}
