import OrderedCollections

/// Turns schemas of objects into sections, and finds what a document of sections and keys cannot be.
struct JSONSchemaSections {
    private(set) var reader: JSONSchemaReader

    init(_ reader: JSONSchemaReader) { self.reader = reader }

    mutating func root(_ schema: JSONSchemaNode) -> SectionModel {
        if let types = schema.declaredTypes, !types.contains(.object) {
            reader.report(
                "unsupported-schema", schema.place.prefix(1),
                "a configuration is an object of sections, so the schema's type must be object")
            return SectionModel()
        }
        return section(schema, at: [], hints: [], isSecret: false)
    }

    /// - Parameters:
    ///   - path: The section's name.
    ///   - hints: Conditions around it that look at its settings, and so tell the types of those nobody declares.
    private mutating func section(_ schema: JSONSchemaNode, at path: SettingPath, hints: [JSONSchemaNode], isSecret: Bool) -> SectionModel {
        let members = schema.members
        let hints = hints + schema.conditions
        let isSecret = isSecret || members.contains(where: \.keywords.isSecret)
        var section = SectionModel(summary: schema.summary)
        for member in members where member.keywords.defaultValue.map({ $0 != [:] }) ?? false {
            reader.report(
                "unsupported-schema", member.keywords.defaultPlace ?? member.place, "a section has no default of its own",
                hint: "give its settings theirs")
        }
        for (name, place) in names(of: members, hints) {
            add(name, isSection: { $0.isSection }, to: &section, members, at: path, hints, isSecret, named: place)
        }
        addPatterns(to: &section, members, at: path, isSecret)
        addOthers(to: &section, members, at: path, isSecret)
        section.rules = rules(members, at: path)
        return section
    }

    // MARK: - Names

    /// The names that the schema speaks of, and where; `nil` for those that only conditions look at.
    private func names(of members: [JSONSchemaNode], _ hints: [JSONSchemaNode]) -> OrderedDictionary<String, Range<Int>?> {
        var names: OrderedDictionary<String, Range<Int>?> = [:]
        for member in members {
            for (name, schema) in member.keywords.properties { names[name] = schema.place }
        }
        for member in members {
            for name in member.keywords.required where names[name] == nil { names[name] = member.place }
        }
        for hint in members + hints {
            let keywords = hint.keywords
            for name in keywords.properties.keys.elements + keywords.required + keywords.dependentRequired.flatMap({ [$0] + $1 })
            where names[name] == nil {
                names[name] = .some(nil)
            }
        }
        return names
    }

    private mutating func add(
        _ name: String, isSection: (JSONSchemaNode) -> Bool, to section: inout SectionModel, _ members: [JSONSchemaNode],
        at path: SettingPath,
        _ hints: [JSONSchemaNode], _ isSecret: Bool, named place: Range<Int>?
    ) {
        let isRequired = members.contains { $0.keywords.required.contains(name) }
        var parts: [JSONSchemaNode] = []
        for member in members {
            let found = member.keywords.schemas(forMember: name)
            if found.contains(where: { $0.keywords.isNever }), !member.keywords.properties.keys.contains(name) || isRequired {
                // Nothing may have the name, and whoever asks for it has overlooked that.
                guard let place else { return }
                reader.report(
                    "unsupported-schema", place.prefix(1), "'\(name)' can never be set",
                    hint: "'additionalProperties' knows only the properties right beside it; describe '\(name)' there")
                return
            }
            parts += found
        }
        // What conditions say of a name is no demand, but it tells the type.
        let looks = hints.compactMap { $0.keywords.properties[name] }
        let schema = parts.count == 1 && looks.isEmpty ? parts[0] : JSONSchemaNode(all: parts, hints: looks)
        let where_ = place ?? schema.place
        guard isName(name) else {
            reader.report(
                "schema-name", where_.prefix(1), "'\(name)' is not a name a document can have",
                hint: "names are letters, digits, '_' and '-', and start with a letter or '_'")
            return
        }
        guard !path.isEmpty || name != "profile" else {
            reader.report("schema-name", where_.prefix(1), "[profile] is reserved: it says what a profile extends")
            return
        }
        switch role(of: schema, named: name, isTop: path.isEmpty) {
        case .section:
            var child = self.section(schema, at: path + [name], hints: looks, isSecret: isSecret)
            child.isOptional = !isRequired && (child.demandsSomething || child.hasImportedRules)
            section.add(child, named: name)
        case .setting:
            if let (reason, place) = schema.wrongDefault { reader.report("invalid-default", place, "the default of '\(name)' \(reason)") }
            section.add(schema.setting(named: name, isRequired: isRequired, isSecret: isSecret))
        case .neither: break
        }
    }

    private enum Role { case section, setting, neither }

    private mutating func role(of schema: JSONSchemaNode, named name: String, isTop: Bool) -> Role {
        let types = (schema.declaredTypes ?? (schema.assertedTypes.isEmpty ? schema.mentionedTypes : schema.assertedTypes)).subtracting([
            .null
        ])
        if types == [.object] || (types.isEmpty && isTop) { return .section }
        if types.contains(.object) {
            reader.report(
                "unsupported-schema", schema.place.prefix(1), "'\(name)' is either a section or a setting, not both",
                hint: "describe it as one of them")
            return .neither
        }
        if schema.hasObjectInside {
            reader.report(
                "unsupported-schema", schema.place.prefix(1), "'\(name)' holds objects inside a list, which no document can write",
                hint: "describe a section for each: {\"additionalProperties\": {…}}")
            return .neither
        }
        if isTop {
            reader.report(
                "unsupported-schema", schema.place.prefix(1), "'\(name)' is a setting outside any section, which no document can have",
                hint: "the schema's own properties are sections: objects")
            return .neither
        }
        return .setting
    }

    private func isName(_ name: String) -> Bool {
        func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_") }
        guard let first = name.utf8.first, isLetter(first) else { return false }
        return name.utf8.allSatisfy { isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-") }
    }

    // MARK: - Names that are not fixed

    private mutating func addPatterns(to section: inout SectionModel, _ members: [JSONSchemaNode], at path: SettingPath, _ isSecret: Bool) {
        for member in members {
            for (pattern, schema) in member.keywords.patternProperties {
                switch role(of: schema, named: pattern.source, isTop: path.isEmpty) {
                case .section:
                    section.patterns.append(
                        NamePattern(pattern, section: self.section(schema, at: path + ["NAME"], hints: [], isSecret: isSecret)))
                case .setting:
                    section.patterns.append(
                        NamePattern(pattern, setting: schema.setting(named: "NAME", isRequired: false, isSecret: isSecret)))
                case .neither: break
                }
            }
        }
    }

    private mutating func addOthers(to section: inout SectionModel, _ members: [JSONSchemaNode], at path: SettingPath, _ isSecret: Bool) {
        let others = members.compactMap(\.keywords.additionalProperties)
        if others.contains(where: \.keywords.isNever) { return }
        let schema = others.count == 1 ? others[0] : JSONSchemaNode(all: others)
        if others.isEmpty || schema.saysNothing {
            section.isOpen = true
            return
        }
        // At the top every name is a section's.
        switch role(of: schema, named: "NAME", isTop: path.isEmpty) {
        case .section: section.anySection = Indirect(self.section(schema, at: path + ["NAME"], hints: [], isSecret: isSecret))
        case .setting: section.anySetting = schema.setting(named: "NAME", isRequired: false, isSecret: isSecret)
        case .neither: break
        }
    }

    // MARK: - Rules

    private func rules(_ members: [JSONSchemaNode], at path: SettingPath) -> [RuleModel] {
        let place = path.isEmpty ? "" : "in [\(path.joined(separator: "."))], "
        func rule(_ name: String, _ failures: @escaping @Sendable (JSONSchemaTree) -> [JSONSchemaTree.Failure]) -> RuleModel {
            RuleModel(name: name, blames: []) { tree, _ in
                failures(JSONSchemaTree(tree: tree)).map {
                    RuleModel.Finding(message: place + $0.clause, blames: $0.blames, expected: $0.expected)
                }
            }
        }
        var rules = members.filter(\.hasSectionRules).map { member in
            rule(member.summary.isEmpty ? "the section fits its schema" : member.summary) { $0.ruleFailures(of: member, at: []) }
        }
        // Names that are not fixed have one row each; whatever else is said of them is checked here.
        let fixed = Set(members.flatMap(\.keywords.properties.keys))
        if members.flatMap(\.keywords.patternProperties).count + members.compactMap(\.keywords.additionalProperties).count > 1 {
            rules.append(
                rule("names fit every pattern that they match") { tree in
                    members.flatMap { tree.failuresOfOtherNames(than: fixed, in: $0) }
                })
        }
        return rules
    }
}

extension JSONSchemaTree {
    fileprivate func failuresOfOtherNames(than fixed: Set<String>, in schema: JSONSchemaNode) -> [Failure] {
        var others = JSONSchemaNode.Keywords()
        others.patternProperties = schema.keywords.patternProperties
        others.additionalProperties = schema.keywords.additionalProperties
        var rest = tree
        for name in fixed {
            rest.values[name] = nil
            rest.sections[name] = nil
        }
        return JSONSchemaTree(tree: rest).failures(of: JSONSchemaNode(others, at: schema.place), at: [])
    }
}

extension JSONSchemaNode {
    fileprivate var hasSectionRules: Bool {
        !keywords.dependentRequired.isEmpty || !keywords.enumerations.isEmpty || keywords.anyOf != nil || keywords.oneOf != nil
            || keywords.not != nil || keywords.condition != nil
    }

    /// Whether it lets everything through.
    fileprivate var saysNothing: Bool { rules.isEmpty && !isSection && keywords.branches.allSatisfy(\.saysNothing) && !isSecret() }

    fileprivate var hasObjectInside: Bool {
        ([self] + keywords.branches.flatMap(\.members)).contains { schema in
            schema.keywords.items.map { $0.isSection || $0.hasObjectInside } ?? false
        }
    }
}

extension SectionModel {
    /// Whether it cannot be left out once it counts: something below has to be set.
    fileprivate var demandsSomething: Bool {
        settings.values.contains(where: \.isRequired) || sections.values.contains { !$0.isOptional && $0.demandsSomething }
    }
}
