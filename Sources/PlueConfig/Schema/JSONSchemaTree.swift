import OrderedCollections

/// The check of a section's values against a schema, by the letter of JSON Schema with two decisions of configuration:
///
/// - a member's *value* is the one in effect, a default included, for a rule that did not see defaults would let a wrong whole pass;
/// - a member is *there* (`required`, `dependentRequired`) when some layer sets it, as everywhere in Plue. In an `if`, a member that
///   `properties` beside it looks at is there with its default, too: that is how a condition on a value is written.
struct JSONSchemaTree {
    /// One thing that does not hold.
    struct Failure {
        /// The whole clause: "'port' must be at least 1024".
        var clause: String
        var blames: [SettingPath]
        var expected: String?
    }

    let tree: ValueTree
    /// Whether the schema being looked at is a condition.
    var isCondition = false

    func accepts(_ schema: JSONSchemaNode) -> Bool { failures(of: schema, at: []).isEmpty }

    /// Everything that does not hold, the members' own rules included.
    func failures(of schema: JSONSchemaNode, at path: SettingPath) -> [Failure] {
        let keywords = schema.keywords
        if keywords.isNever { return [Failure(clause: "\(path.quoted) must be left out", blames: [path])] }
        if let types = keywords.types, !types.contains(.object) {
            return [Failure(clause: "\(path.quoted) must be \(JSONSchemaType.summary(of: Set(types))), not a section", blames: [path])]
        }
        var failures: [Failure] = []
        for name in keywords.required where !hasMember(name, seenBy: schema) {
            failures.append(Failure(clause: "\((path + [name]).quoted) must be set", blames: [path + [name]], expected: "a value"))
        }
        for name in names {
            for member in keywords.schemas(forMember: name) { failures += memberFailures(name, member, at: path) }
        }
        for part in keywords.allOf { failures += self.failures(of: part, at: path) }
        return failures + ruleFailures(of: schema, at: path)
    }

    /// What is not said of single members: the keywords that combine, and the whole section's value.
    func ruleFailures(of schema: JSONSchemaNode, at path: SettingPath) -> [Failure] {
        let keywords = schema.keywords
        var failures: [Failure] = []
        for (name, needed) in keywords.dependentRequired where isSet(name) {
            for other in needed where !isSet(other) {
                failures.append(
                    Failure(
                        clause: "\((path + [other]).quoted) must be set when \((path + [name]).quoted) is",
                        blames: [path + [name], path + [other]],
                        expected: "'\(other)' beside it"))
            }
        }
        for values in keywords.enumerations where !values.contains(where: { $0.isSame(as: json) }) {
            failures.append(
                Failure(clause: "the section must be \(values.map { $0.text() }.joined(separator: " or "))", blames: named(path)))
        }
        if let branches = keywords.anyOf, !branches.contains(where: accepts) {
            failures.append(choice(branches, at: path))
        }
        if let branches = keywords.oneOf {
            let count = branches.count { accepts($0) }
            if count == 0 { failures.append(choice(branches, at: path)) }
            if count > 1 {
                let holding = branches.filter(accepts)
                failures.append(
                    Failure(
                        clause:
                            "only one of these may hold, but \(count) do: \(holding.map { $0.statement(at: path) }.joined(separator: "; "))",
                        blames: blames(holding, at: path)))
            }
        }
        if let schema = keywords.not, accepts(schema) {
            failures.append(Failure(clause: "it must not be that \(schema.statement(at: path))", blames: blames([schema], at: path)))
        }
        if let condition = keywords.condition { failures += conditional(condition, keywords, at: path) }
        return failures
    }

    private func conditional(_ condition: JSONSchemaNode, _ keywords: JSONSchemaNode.Keywords, at path: SettingPath) -> [Failure] {
        var looking = self
        looking.isCondition = true
        let holds = looking.accepts(condition)
        guard let consequence = holds ? keywords.then : keywords.otherwise else { return [] }
        let reason = holds ? condition.statement(at: path) : "it is not so that \(condition.statement(at: path))"
        return failures(of: consequence, at: path).map { failure in
            var failure = failure
            failure.clause += ", because \(reason)"
            failure.blames = ordered(failure.blames + condition.mentioned(at: path), below: path)
            return failure
        }
    }

    /// The failure of all branches of a choice.
    private func choice(_ branches: [JSONSchemaNode], at path: SettingPath) -> Failure {
        let words = branches.map { $0.statement(at: path) }
        let clause = words.count == 1 ? "it must be that \(words[0])" : "one of these must hold: \(words.joined(separator: "; "))"
        return Failure(clause: clause, blames: blames(branches, at: path), expected: words.joined(separator: "; or "))
    }

    private func memberFailures(_ name: String, _ schema: JSONSchemaNode, at path: SettingPath) -> [Failure] {
        let place = path + [name]
        if let section = tree.sections[name] {
            return JSONSchemaTree(tree: section, isCondition: isCondition).failures(of: schema, at: place)
        }
        guard let value = tree.values[name].map(JSONValue.init),
            let rule = schema.rules.first(where: { $0.severity == .error && !$0.holds(value) })
        else { return [] }
        return [Failure(clause: "\(place.quoted) \(rule.requirement)", blames: [place], expected: rule.expected)]
    }

    // MARK: - What is there

    private var names: [String] { Set(tree.values.keys).union(tree.sections.keys).sorted() }

    private func isSet(_ name: String) -> Bool { tree.explicit.contains(name) || tree.sections[name]?.isSet ?? false }

    private func hasMember(_ name: String, seenBy schema: JSONSchemaNode) -> Bool {
        isSet(name) || (isCondition && schema.keywords.properties[name] != nil && tree.values[name] != nil)
    }

    /// The section as a document would have it: what some layer sets.
    private var json: JSONValue { tree.json }

    // MARK: - Whom to blame

    private func blames(_ schemas: [JSONSchemaNode], at path: SettingPath) -> [SettingPath] {
        ordered(schemas.flatMap { $0.mentioned(at: path) }, below: path)
    }

    private func named(_ path: SettingPath) -> [SettingPath] { ordered(names.map { path + [$0] }, below: path) }

    /// Each once, those with a place in a document first.
    private func ordered(_ paths: [SettingPath], below path: SettingPath) -> [SettingPath] {
        var unique: [SettingPath] = []
        for path in paths where !unique.contains(path) { unique.append(path) }
        let isSet = { (setting: SettingPath) in tree.isSet(setting.dropFirst(path.count)) }
        return Array((unique.filter(isSet) + unique.filter { !isSet($0) }).prefix(8))
    }
}

extension ValueTree {
    /// Whether some layer sets something in it.
    var isSet: Bool { !explicit.isEmpty || sections.values.contains(where: \.isSet) }

    fileprivate func isSet(_ path: ArraySlice<String>) -> Bool {
        guard let first = path.first else { return isSet }
        return path.count == 1 ? explicit.contains(first) : sections[first]?.isSet(path.dropFirst()) ?? false
    }

    fileprivate var json: JSONValue {
        var members: [(String, JSONValue)] = explicit.sorted().compactMap { name in values[name].map { (name, JSONValue($0)) } }
        members += sections.sorted { $0.key < $1.key }.filter(\.value.isSet).map { ($0.key, $0.value.json) }
        return .object(.init(members, uniquingKeysWith: { first, _ in first }))
    }
}

extension JSONSchemaNode.Keywords {
    /// Everything that is said of the member of that name: by its name, by patterns, or else as an additional one.
    func schemas(forMember name: String) -> [JSONSchemaNode] {
        var schemas = [properties[name]].compactMap(\.self)
        schemas += patternProperties.filter { $0.pattern.matches(name) }.map(\.schema)
        return schemas.isEmpty ? [additionalProperties].compactMap(\.self) : schemas
    }
}

extension JSONSchemaNode {
    /// What a section is like that keeps the schema, as a clause: "'mode' is tls and 'key' is set".
    fileprivate func statement(at path: SettingPath) -> String {
        var clauses: [String] = []
        if keywords.isNever { clauses.append("nothing is set") }
        for name in keywords.required where keywords.properties[name]?.hasStatement != true {
            clauses.append("\((path + [name]).quoted) is set")
        }
        for (name, member) in keywords.properties {
            let place = path + [name]
            if member.keywords.isNever {
                clauses.append("\(place.quoted) is not set")
            } else if member.isSection {
                clauses.append(member.statement(at: place))
            } else {
                let facts = member.rules.filter { $0.severity == .error && $0.code != "type" }.map(\.fact)
                let type = member.rules.filter { $0.code == "type" }.map(\.fact)
                if !(facts + type).isEmpty {
                    clauses.append("\(place.quoted) \((facts.isEmpty ? type : facts).joined(separator: " and "))")
                }
            }
        }
        for (pattern, _) in keywords.patternProperties { clauses.append("what matches \(pattern.source) is right") }
        if keywords.additionalProperties?.keywords.isNever == true { clauses.append("nothing else is set") }
        for (name, needed) in keywords.dependentRequired {
            clauses.append("\(needed.map { (path + [$0]).quoted }.joined(separator: " and ")) is set when \((path + [name]).quoted) is")
        }
        for values in keywords.enumerations { clauses.append("the section is \(values.map { $0.text() }.joined(separator: " or "))") }
        clauses += keywords.allOf.map { $0.statement(at: path) }
        if let anyOf = keywords.anyOf { clauses.append("(\(anyOf.map { $0.statement(at: path) }.joined(separator: " or ")))") }
        if let oneOf = keywords.oneOf {
            clauses.append("exactly one holds of (\(oneOf.map { $0.statement(at: path) }.joined(separator: "; ")))")
        }
        if let not = keywords.not { clauses.append("it is not so that \(not.statement(at: path))") }
        if let condition = keywords.condition {
            if let then = keywords.then { clauses.append("\(then.statement(at: path)) if \(condition.statement(at: path))") }
            if let otherwise = keywords.otherwise {
                clauses.append("\(otherwise.statement(at: path)) unless \(condition.statement(at: path))")
            }
        }
        return clauses.isEmpty ? "anything goes" : clauses.joined(separator: " and ")
    }

    private var hasStatement: Bool { keywords.isNever || isSection || rules.contains { $0.severity == .error } }

    /// The settings that the schema speaks about, to any depth.
    fileprivate func mentioned(at path: SettingPath) -> [SettingPath] {
        var paths = keywords.required.map { path + [$0] }
        for (name, member) in keywords.properties { paths += member.isSection ? member.mentioned(at: path + [name]) : [path + [name]] }
        for (name, needed) in keywords.dependentRequired { paths += ([name] + needed).map { path + [$0] } }
        return paths + keywords.branches.flatMap { $0.mentioned(at: path) }
    }

    /// Whether the schema describes a section rather than a value.
    var isSection: Bool {
        let types = declaredTypes ?? (assertedTypes.isEmpty ? mentionedTypes : assertedTypes)
        return types.contains(.object)
    }
}

extension [String] {
    /// A setting's name as a message quotes it.
    fileprivate var quoted: String { isEmpty ? "the section" : "'\(joined(separator: "."))'" }
}
