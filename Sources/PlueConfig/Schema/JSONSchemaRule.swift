/// What one keyword, or several that belong together, demand of a single value, with the words to say it.
struct JSONSchemaRule: Sendable {
    let code: DiagnosticCode
    /// What is right: "1...65535".
    let expected: String
    /// The end of "server.port is 99999, but …": "must be between 1 and 65535".
    let requirement: String
    var severity: Diagnostic.Severity = .error
    let holds: @Sendable (JSONValue) -> Bool

    /// What a value does that keeps the rule: "is between 1 and 65535".
    var fact: String {
        for (demand, fact) in [
            ("must not be ", "is not "), ("must be ", "is "), ("must have ", "has "), ("must match ", "matches "),
            ("must not ", "does not "),
        ] where requirement.hasPrefix(demand) {
            return fact + requirement.dropFirst(demand.count)
        }
        return phrase
    }

    /// The requirement to put behind a "must": "be between 1 and 65535".
    var phrase: String { requirement.hasPrefix("must ") ? String(requirement.dropFirst(5)) : requirement }

    var model: ConstraintModel {
        ConstraintModel(code: code, expected: expected, requirement: requirement, severity: severity) { [holds] value, _ in
            (value as? JSONValue).map(holds) ?? true
        }
    }

    static func all(of keywords: JSONSchemaNode.Keywords) -> [JSONSchemaRule] {
        var rules: [JSONSchemaRule] = []
        if keywords.isNever {
            rules.append(JSONSchemaRule(code: "not-allowed", expected: "nothing here", requirement: "must be left out") { _ in false })
        }
        if let types = keywords.types {
            let words = JSONSchemaType.summary(of: Set(types))
            rules.append(
                JSONSchemaRule(code: "type", expected: words, requirement: "must be \(words)") { value in
                    types.contains { $0.includes(value) }
                })
        }
        rules += keywords.enumerations.map(enumeration)
        rules += [
            range(keywords), bounds(keywords), length(keywords), pattern(keywords), format(keywords), count(keywords), unique(keywords),
        ].compactMap(\.self)
        rules += keywords.items.map(items) ?? []
        rules += keywords.allOf.flatMap(\.rules)
        rules += combinations(keywords)
        rules += keywords.advice.flatMap(\.rules).map { rule in
            var rule = rule
            rule.severity = .warning
            return rule
        }
        return rules
    }

    // MARK: - Values and numbers

    private static func enumeration(_ values: [JSONValue]) -> JSONSchemaRule {
        let words = values.map(\.words).joined(separator: ", ")
        return JSONSchemaRule(
            code: "one-of", expected: words, requirement: values.count == 1 ? "must be \(words)" : "must be one of \(words)"
        ) { value in
            values.contains { $0.isSame(as: value) }
        }
    }

    private static func range(_ keywords: JSONSchemaNode.Keywords) -> JSONSchemaRule? {
        let (least, most, above, below) = (keywords.minimum, keywords.maximum, keywords.exclusiveMinimum, keywords.exclusiveMaximum)
        var words: [String] = []
        if let least, let most {
            words.append("between \(least) and \(most)")
        } else {
            if let least { words.append("at least \(least)") }
            if let most { words.append("at most \(most)") }
        }
        if let above { words.append("more than \(above)") }
        if let below { words.append("less than \(below)") }
        guard !words.isEmpty else { return nil }
        let text = words.joined(separator: " and ")
        let expected = above == nil && below == nil ? "\(least.map(\.description) ?? "")...\(most.map(\.description) ?? "")" : text
        return JSONSchemaRule(code: "range", expected: expected, requirement: "must be \(text)") { value in
            guard let number = JSONNumber(value) else { return true }
            return least.map { number >= $0 } ?? true && most.map { number <= $0 } ?? true && above.map { number > $0 } ?? true
                && below.map { number < $0 } ?? true
        }
    }

    /// Bounds of what is written as text and has an order of its own: durations and sizes.
    private static func bounds(_ keywords: JSONSchemaNode.Keywords) -> JSONSchemaRule? {
        let (least, most) = (keywords.least, keywords.most)
        let requirement: String
        switch (least, most) {
        case (nil, nil): return nil
        case (let least?, let most?): requirement = "must be between \(least.words) and \(most.words)"
        case (let least?, nil): requirement = "must be at least \(least.words)"
        case (nil, let most?): requirement = "must be at most \(most.words)"
        }
        let format = keywords.format
        return JSONSchemaRule(code: "range", expected: "\(least?.words ?? "")...\(most?.words ?? "")", requirement: requirement) { value in
            guard case .string(let text) = value else { return true }
            // What does not compare is not its format, which another rule says.
            func fits(_ low: String, _ high: String) -> Bool { format?.isOrdered(low, high) ?? true }
            if case .string(let least) = least, !fits(least, text) { return false }
            if case .string(let most) = most, !fits(text, most) { return false }
            return true
        }
    }

    // MARK: - Text

    private static func length(_ keywords: JSONSchemaNode.Keywords) -> JSONSchemaRule? {
        size(keywords.minLength, keywords.maxLength, "characters") { value in
            if case .string(let text) = value { text.unicodeScalars.count } else { nil }
        }
    }

    private static func count(_ keywords: JSONSchemaNode.Keywords) -> JSONSchemaRule? {
        size(keywords.minItems, keywords.maxItems, "items") { value in
            if case .array(let items) = value { items.count } else { nil }
        }
    }

    private static func size(
        _ least: Int?, _ most: Int?, _ unit: String, of size: @escaping @Sendable (JSONValue) -> Int?
    ) -> JSONSchemaRule? {
        let (expected, requirement): (String, String)
        switch (least, most) {
        case (nil, nil): return nil
        case (let least?, let most?): (expected, requirement) = ("\(least) to \(most) \(unit)", "must have \(least) to \(most) \(unit)")
        case (1, nil): (expected, requirement) = (unit == "items" ? "at least one item" : "some text", "must not be empty")
        case (let least?, nil): (expected, requirement) = ("\(least) \(unit) or more", "must have at least \(least) \(unit)")
        case (nil, let most?): (expected, requirement) = ("\(most) \(unit) or fewer", "must have at most \(most) \(unit)")
        }
        return JSONSchemaRule(code: least == 1 && most == nil ? "empty" : "length", expected: expected, requirement: requirement) { value in
            guard let size = size(value) else { return true }
            return size >= least ?? 0 && size <= most ?? .max
        }
    }

    private static func pattern(_ keywords: JSONSchemaNode.Keywords) -> JSONSchemaRule? {
        guard let pattern = keywords.pattern else { return nil }
        return JSONSchemaRule(code: "pattern", expected: "text matching \(pattern.source)", requirement: "must match \(pattern.source)") {
            value in
            if case .string(let text) = value { pattern.matches(text) } else { true }
        }
    }

    private static func format(_ keywords: JSONSchemaNode.Keywords) -> JSONSchemaRule? {
        guard let format = keywords.format else { return nil }
        return JSONSchemaRule(code: "format", expected: format.summary, requirement: "must be \(format.summary)") { value in
            if case .string(let text) = value { format.canonical(text) != nil } else { true }
        }
    }

    // MARK: - Lists

    private static func unique(_ keywords: JSONSchemaNode.Keywords) -> JSONSchemaRule? {
        guard keywords.isUnique else { return nil }
        return JSONSchemaRule(code: "unique", expected: "items that differ", requirement: "must not repeat an item") { value in
            guard case .array(let items) = value else { return true }
            return Set(items.map(\.normalized)).count == items.count
        }
    }

    private static func items(_ schema: JSONSchemaNode) -> [JSONSchemaRule] {
        schema.rules.map { rule in
            JSONSchemaRule(
                code: rule.code, expected: "each item: \(rule.expected)", requirement: "has an item that \(rule.requirement)",
                severity: rule.severity
            ) { value in
                if case .array(let items) = value { items.allSatisfy(rule.holds) } else { true }
            }
        }
    }

    // MARK: - Combinations

    private static func combinations(_ keywords: JSONSchemaNode.Keywords) -> [JSONSchemaRule] {
        var rules: [JSONSchemaRule] = []
        if let branches = keywords.anyOf {
            let words = branches.map(\.phrase).joined(separator: ", or ")
            rules.append(
                JSONSchemaRule(code: "any-of", expected: "to \(words)", requirement: "must \(words)") { value in
                    branches.contains { $0.accepts(value) }
                })
        }
        if let branches = keywords.oneOf {
            let words = branches.map(\.phrase).joined(separator: ", or ")
            let only = branches.count > 1 ? ", and only one of these" : ""
            rules.append(
                JSONSchemaRule(code: "exactly-one-of", expected: "to \(words)\(only)", requirement: "must \(words)\(only)") { value in
                    branches.count { $0.accepts(value) } == 1
                })
        }
        if let schema = keywords.not {
            rules.append(
                JSONSchemaRule(code: "not", expected: "not to \(schema.phrase)", requirement: "must not \(schema.phrase)") {
                    !schema.accepts($0)
                })
        }
        if let condition = keywords.condition, keywords.then != nil || keywords.otherwise != nil {
            let (then, otherwise) = (keywords.then, keywords.otherwise)
            let words =
                switch (then, otherwise) {
                case (let then?, let otherwise?): "\(condition.phrase) and \(then.phrase), or else \(otherwise.phrase)"
                case (let then?, nil): "either not \(condition.phrase), or \(then.phrase)"
                case (nil, let otherwise): "\(condition.phrase), or else \(otherwise?.phrase ?? "")"
                }
            rules.append(
                JSONSchemaRule(code: "if", expected: "to \(words)", requirement: "must \(words)") { value in
                    (condition.accepts(value) ? then : otherwise)?.accepts(value) ?? true
                })
        }
        return rules
    }
}

extension JSONSchemaNode {
    /// Whether a single value keeps every rule of the schema; advice does not count.
    func accepts(_ value: JSONValue) -> Bool { rules.allSatisfy { $0.severity == .warning || $0.holds(value) } }

    /// What the schema demands of a single value, to put behind a "must".
    var phrase: String {
        let words = rules.filter { $0.severity == .error }.map(\.phrase)
        return words.isEmpty ? "be anything" : words.joined(separator: " and ")
    }
}

extension JSONValue {
    /// One value in one form, so that values that are the same are equal.
    fileprivate var normalized: JSONValue {
        switch self {
        case .number(let number): Int(exactly: number).map(JSONValue.integer) ?? self
        case .array(let items): .array(items.map(\.normalized))
        default: self
        }
    }
}
