import OrderedCollections
import PlueDocuments
import SystemPackage

/// The check of one resolution: reads every value as its type, applies its rules, fills in the defaults.
struct Check {
    private let resolution: Resolution
    private let model: SectionModel
    private let context: RuleContext
    /// What the files that settings name held when the candidate was read.
    private let files: [FilePath: Result<WatchedFile, FileReadError>]
    /// What the process started with; `nil` while it starts.
    private let heldValues: [SettingKey: SettingModel.Decoded?]?

    private(set) var decoded = DecodedSection()
    private(set) var settings = SettingTable()
    private(set) var problems: [Diagnostic] = []
    private(set) var pendingRestart: [SettingKey] = []
    private(set) var startValues: [SettingKey: SettingModel.Decoded?] = [:]

    init(
        _ resolution: Resolution, model: SectionModel, context: RuleContext, files: [FilePath: Result<WatchedFile, FileReadError>],
        startValues: [SettingKey: SettingModel.Decoded?]?
    ) {
        self.resolution = resolution
        self.model = model
        self.context = context
        self.files = files
        heldValues = startValues
    }

    mutating func run() {
        settings.reserveCapacity(resolution.sections.reduce(0) { $0 + $1.settings.count + 8 })
        for section in resolution.sections { check(section) }
        var present = Set<String>()
        present.reserveCapacity(resolution.sections.count)
        for section in resolution.sections {
            var name = section.name[...]
            present.insert(section.name)
            while let dot = name.lastIndex(of: ".") {
                name = name[..<dot]
                present.insert(String(name))
            }
        }
        fillIn(model, named: "", present, checked: Set(resolution.sections.lazy.map(\.name)))
        if !problems.hasErrors { checkImportedRules() }
    }

    // MARK: - One section

    private mutating func check(_ section: ResolvedSection) {
        var values = DecodedValues()
        values.reserveCapacity(section.settings.count)
        var added: [EffectiveSetting] = []
        added.reserveCapacity(section.settings.count + section.model.settings.count)
        for setting in section.settings {
            guard let value = decode(setting, in: section.name) else { continue }
            added.append(effective(setting, in: section.name, value, &values))
        }
        if !section.model.settings.isEmpty {
            for (name, row) in section.model.settings where row.replacement == nil && section.names.position(of: name) == nil {
                added.append(missing(row, in: section.name, &values))
            }
        }
        settings.add(section.name, added)
        decoded.insert(values, at: section.name)
    }

    private mutating func decode(_ setting: ResolvedSetting, in section: String) -> SettingModel.Decoded? {
        do {
            let value = try setting.model.decode(setting.text)
            var isRight = true
            for constraint in setting.model.constraints where !constraint.holds(value.value, context) {
                isRight = isRight && constraint.severity != .error
                report(constraint, setting, SettingKey(section: section, name: setting.name), value.plain)
            }
            guard let file = value.file, isRight else { return value }
            switch files[file.path] {
            case .success(let read): return value.holding(read)
            case .failure(let error): report(error, setting, SettingKey(section: section, name: setting.name))
            case nil: report(nil, setting, SettingKey(section: section, name: setting.name))
            }
            return value
        } catch {
            report(error, setting, SettingKey(section: section, name: setting.name))
            return nil
        }
    }

    private mutating func effective(
        _ setting: ResolvedSetting, in section: String, _ value: SettingModel.Decoded, _ values: inout DecodedValues
    ) -> EffectiveSetting {
        let key = SettingKey(section: section, name: setting.name)
        let held = hold(key, setting.model, value)
        if let running = held.running { values.append(running.value, named: setting.name) }
        return EffectiveSetting(
            key: key, model: setting.model, content: SettingContent(held.running, isSecret: setting.isSecret),
            pending: held.isPending ? SettingContent(value, isSecret: setting.isSecret) : nil,
            layered: setting.value)
    }

    /// A setting that no layer sets.
    private mutating func missing(_ row: SettingModel, in section: String, _ values: inout DecodedValues) -> EffectiveSetting {
        let key = SettingKey(section: section, name: row.name)
        if row.isRequired { reportMissing(key, row) }
        var fallback = row.defaultValue.flatMap { try? row.decode(SettingText($0)) }
        // A default may name a file that this machine does not have; then it holds nothing.
        if let path = fallback?.file?.path, let read = try? files[path]?.get() { fallback = fallback?.holding(read) }
        let held = hold(key, row, fallback)
        if held.isPending || fallback?.file != nil, let running = held.running { values.append(running.value, named: row.name) }
        return EffectiveSetting(
            key: key, model: row, content: SettingContent(held.running, isSecret: row.isSecret),
            pending: held.isPending ? SettingContent(fallback, isSecret: row.isSecret) : nil,
            layered: nil)
    }

    /// What runs of a value: its own, or, for one that waits for a restart, what the process started with.
    private mutating func hold(
        _ key: SettingKey, _ row: SettingModel, _ value: SettingModel.Decoded?
    ) -> (running: SettingModel.Decoded?, isPending: Bool) {
        guard row.effect == .restart else { return (value, false) }
        guard let started = heldValues?[key] else {
            startValues[key] = .some(value)
            return (value, false)
        }
        startValues[key] = .some(started)
        guard !isSame(started, value) else { return (value, false) }
        pendingRestart.append(key)
        return (started, true)
    }

    private func isSame(_ left: SettingModel.Decoded?, _ right: SettingModel.Decoded?) -> Bool {
        guard let left, let right else { return left == nil && right == nil }
        return left.isSame(as: right)
    }

    /// Adds the sections of the schema that no layer has, so that their defaults are shown and what they require is missed.
    private mutating func fillIn(_ section: SectionModel, named name: String, _ present: Set<String>, checked: Set<String>) {
        for (component, child) in section.sections {
            let childName = name.isEmpty ? component : "\(name).\(component)"
            let isPresent = present.contains(childName)
            if child.isOptional, !isPresent { continue }
            if !checked.contains(childName) { check(ResolvedSection(name: childName, model: child)) }
            fillIn(child, named: childName, present, checked: checked)
        }
    }

    // MARK: - Rules over several settings

    private mutating func checkImportedRules() {
        guard model.hasImportedRules else { return }
        var tree = ValueTree()
        for setting in settings {
            guard let value = setting.content.value else { continue }
            tree.insert(value, at: setting.key.components[...], isExplicit: setting.isExplicit)
        }
        checkRules(of: model, tree, at: [])
    }

    private mutating func checkRules(of section: SectionModel, _ tree: ValueTree, at path: SettingPath) {
        for rule in section.rules {
            for finding in rule.check?(tree, context) ?? [] {
                report(rule, message: finding.message, (finding.blames ?? rule.blames).map { path + $0 }, finding.expected, finding.hint)
            }
        }
        // A section that is always there has its rules even when no layer has anything in it.
        for (name, child) in section.sections where tree.sections[name] == nil && !child.isOptional {
            checkRules(of: child, ValueTree(), at: path + [name])
        }
        for (name, child) in tree.sections {
            guard let model = section.section(named: name) else { continue }
            checkRules(of: model, child, at: path + [name])
        }
    }

    /// Reports the rules of typed schemas that do not hold.
    mutating func report(_ broken: [(rule: RuleModel, reason: String?, blames: [SettingPath])]) {
        for (rule, reason, blames) in broken { report(rule, message: reason, blames, nil, nil) }
    }

    private mutating func report(
        _ rule: RuleModel, message: String?, _ blames: [SettingPath], _ expected: String?, _ hint: String?
    ) {
        let keys = blames.map { SettingKey(section: $0.dropLast().joined(separator: "."), name: $0.last ?? "") }
        let places = keys.map { key in settings[key].flatMap(place) }
        let first = keys.first.flatMap { settings[$0] }
        problems.append(
            Diagnostic(
                "rule", severity: rule.severity, key: keys.first, at: places.first ?? nil,
                message ?? "rule broken: \(rule.name)", label: expected.map { "expected \($0)" }, expected: expected,
                found: first?.content.isSecret == false ? first?.content.value?.description : nil, hint: hint,
                related: zip(keys, places).dropFirst().map { Diagnostic.Related("with \($0)", at: $1) }))
    }

    private func place(of setting: EffectiveSetting) -> Location? {
        setting.origin.valueLocation(isSecret: setting.content.isSecret)
    }

    // MARK: - Problems of one setting

    /// A value that its type cannot be read from.
    private mutating func report(_ problem: ConversionProblem, _ setting: ResolvedSetting, _ key: SettingKey) {
        let item = problem.item.map { "item \($0 + 1) of \(key)" } ?? key.description
        let found = setting.isSecret || problem.item != nil ? nil : shortened(setting.text.scalar)
        problems.append(
            Diagnostic(
                "type", key: key, at: setting.value.winner.valueLocation(isSecret: setting.isSecret),
                found.map { "\(item) is \($0.isEmpty ? "empty" : "'\($0)'"), but must be \(problem.expected)" }
                    ?? "\(item) must be \(problem.expected)",
                label: "expected \(problem.expected)", expected: problem.expected, found: found, hint: problem.hint,
                related: overrides(setting)))
    }

    /// A file whose content counts and could not be read.
    private mutating func report(_ error: FileReadError?, _ setting: ResolvedSetting, _ key: SettingKey) {
        let reason = setting.isSecret ? nil : error.map { ": \($0)" }
        problems.append(
            Diagnostic(
                "unreadable-file", key: key, at: setting.value.winner.valueLocation(isSecret: setting.isSecret),
                "\(key) names a file that \(error == nil ? "was not read" : "cannot be read")\(reason ?? "")",
                related: overrides(setting)))
    }

    /// A value that breaks a rule.
    private mutating func report(
        _ constraint: ConstraintModel, _ setting: ResolvedSetting, _ key: SettingKey, _ value: PlainValue
    ) {
        let found = setting.isSecret ? nil : shortened(value.description)
        problems.append(
            Diagnostic(
                constraint.code, severity: constraint.severity, key: key,
                at: setting.value.winner.valueLocation(isSecret: setting.isSecret),
                found.map { "\(key) is \($0.isEmpty ? "empty" : $0), but \(constraint.requirement)" } ?? "\(key) \(constraint.requirement)",
                label: "expected \(constraint.expected)", expected: constraint.expected, found: found,
                related: overrides(setting)))
    }

    private mutating func reportMissing(_ key: SettingKey, _ row: SettingModel) {
        let header = resolution.stack.sections[key.section]?.header
        var place: Location?
        if let header, case .document(let document, _) = header.layer.content {
            place = document.location(of: header.range, excerpt: document.lineText(at: header.range))
        }
        problems.append(
            Diagnostic(
                "required", key: key, at: place, "\(key) is required, but no layer sets it",
                label: place == nil ? nil : "add \(row.name) = …", expected: row.kind.summary,
                hint: "set \(row.name) in [\(key.section)], or the variable \(SectionModel.variable(for: key))"))
    }

    /// The value that the wrong one overrides: where the last good one stands.
    private func overrides(_ setting: ResolvedSetting) -> [Diagnostic.Related] {
        guard let below = setting.value.overridden.last else { return [] }
        let shown = setting.isSecret ? nil : below.written.map(shortened)
        return [
            Diagnostic.Related(
                "overrides \(shown.map { "\($0) " } ?? "")from \(below.origin.summary)",
                at: below.origin.valueLocation(isSecret: setting.isSecret))
        ]
    }

    /// A value that a message quotes is cut, so that one bad line cannot fill a log.
    private func shortened(_ text: String) -> String {
        text.count > 80 ? text.prefix(79) + "…" : text
    }
}
