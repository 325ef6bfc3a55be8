public import OrderedCollections

/// A named group of settings with the Swift types erased; the whole schema is one, nameless.
public struct SectionModel: Sendable {
    /// One line for the reference page; empty when there is nothing to say.
    public var summary: String
    /// The settings by name, in the order they were declared.
    public private(set) var settings: OrderedDictionary<String, SettingModel>
    /// The subsections with fixed names.
    public private(set) var sections: OrderedDictionary<String, SectionModel>
    /// What any other subsection is like: the sections of a `[String: Settings]`, such as `[daemon.NAME]`.
    public var anySection: Indirect<SectionModel>?
    /// What any other key is like: the keys of a `[String: Value]`.
    public var anySetting: SettingModel?
    /// What names that match a pattern are, before ``anySection`` and ``anySetting``; the first that matches counts.
    public var patterns: [NamePattern]
    /// Whether names that are not described are let through as text; otherwise each is an error.
    public var isOpen: Bool
    /// Whether the section may be absent as a whole, so that what it requires is required only once it is there.
    public var isOptional: Bool
    /// The rules over several of its settings, in the section's own terms.
    public var rules: [RuleModel]

    public init(summary: String = "") {
        self.summary = summary
        settings = [:]
        sections = [:]
        anySection = nil
        anySetting = nil
        patterns = []
        isOpen = false
        isOptional = false
        rules = []
    }

    /// Adds a setting; one of the same name is replaced.
    public mutating func add(_ setting: SettingModel) {
        settings[setting.name] = setting
    }

    /// Adds a subsection; one of the same name is replaced.
    public mutating func add(_ section: SectionModel, named name: String) {
        sections[name] = section
    }

    /// The section that `[name]` opens, or `nil` when the schema has none.
    /// - Parameter name: Components divided by dots; the empty text is this section.
    public func section(named name: some StringProtocol) -> SectionModel? {
        var section = self
        for component in name.split(separator: ".", omittingEmptySubsequences: false) where !name.isEmpty {
            if let fixed = section.sections[String(component)] {
                section = fixed
            } else if let pattern = section.patterns.first(where: { $0.section != nil && $0.pattern.matches(String(component)) }) {
                section = pattern.section?.value ?? section
            } else if let any = section.anySection {
                section = any.value
            } else if section.isOpen {
                section = .open
            } else {
                return nil
            }
        }
        return section
    }

    /// The setting of that name, or `nil` when the schema has none. The row of a section with free names is called `NAME`.
    public func setting(named name: String) -> SettingModel? {
        settings[name] ?? patterns.first { $0.setting != nil && $0.pattern.matches(name) }?.setting ?? anySetting
            ?? (isOpen ? .undeclared : nil)
    }

    /// The row for a key, or `nil` when the schema has none.
    public func setting(for key: SettingKey) -> SettingModel? {
        section(named: key.section)?.setting(named: key.name)
    }

    /// The names of all sections with a fixed name, `server`, `server.tls`, for hints and listings.
    public var sectionNames: [String] {
        sections.flatMap { name, section in [name] + section.sectionNames.map { "\(name).\($0)" } }
    }

    /// The names of the settings that have one of their own, `server.port`.
    public var settingNames: [String] {
        Array(settings.keys) + sections.flatMap { name, section in section.settingNames.map { "\(name).\($0)" } }
    }

    /// Whether a rule here or below is checked on plain values rather than by a typed schema.
    var hasImportedRules: Bool {
        rules.contains { $0.check != nil } || sections.values.contains { $0.hasImportedRules }
            || (anySection?.value.hasImportedRules ?? false) || patterns.contains { $0.section?.value.hasImportedRules ?? false }
    }

    /// This schema with another one's sections beside its own; of two sections with one name this one's stays.
    public func merging(_ other: SectionModel) -> SectionModel {
        var merged = self
        for (name, section) in other.sections where merged.sections[name] == nil { merged.add(section, named: name) }
        merged.rules += other.rules
        merged.isOpen = isOpen || other.isOpen
        return merged
    }

    func with(summary: String) -> SectionModel {
        var section = self
        section.summary = summary
        return section
    }

    /// A section that lets everything through as text.
    static let open: SectionModel = {
        var section = SectionModel()
        section.isOpen = true
        return section
    }()
}

/// A value behind a reference, so that a struct can contain its own kind.
public final class Indirect<Value: Sendable>: Sendable {
    /// What is kept.
    public let value: Value
    public init(_ value: Value) { self.value = value }
}

extension SettingModel {
    /// The row of a key that an open section lets through: text, optional, without rules.
    static let undeclared = SettingModel(name: "NAME", summary: "", kind: .string(format: nil), isOptional: true) { text in
        Decoded(value: text.scalar, plain: .string(text.scalar))
    }
}
