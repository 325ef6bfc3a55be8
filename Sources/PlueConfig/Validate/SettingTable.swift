import OrderedCollections

/// All settings of a snapshot by name, those at their default included.
public struct SettingTable: Sendable, RandomAccessCollection {
    private var settings: ContiguousArray<EffectiveSetting> = []
    private var sections: OrderedDictionary<String, [String: Int]> = [:]

    init() {}

    mutating func reserveCapacity(_ count: Int) { settings.reserveCapacity(count) }

    mutating func add(_ setting: EffectiveSetting) {
        sections[setting.key.section, default: [:]][setting.key.name] = settings.count
        settings.append(setting)
    }

    /// Adds a section's settings at once.
    mutating func add(_ section: String, _ added: [EffectiveSetting]) {
        guard !added.isEmpty else { return }
        var index = sections[section] ?? [:]
        index.reserveCapacity(index.count + added.count)
        for setting in added {
            index[setting.key.name] = settings.count
            settings.append(setting)
        }
        sections[section] = index
    }

    public var startIndex: Int { settings.startIndex }
    public var endIndex: Int { settings.endIndex }
    public subscript(position: Int) -> EffectiveSetting { settings[position] }

    /// The setting of that name, or `nil` when the snapshot has none.
    public subscript(key: SettingKey) -> EffectiveSetting? {
        sections[key.section]?[key.name].map { settings[$0] }
    }

    /// The setting that the components name, the last one being the key.
    public func setting(at components: [String]) -> EffectiveSetting? {
        guard let name = components.last, components.count > 1 else { return nil }
        return sections[components.dropLast().joined(separator: ".")]?[name].map { settings[$0] }
    }

    /// The settings of a section and of the sections below it; empty when there is none of that name.
    public func settings(in section: String) -> [EffectiveSetting] {
        let prefix = section + "."
        return sections.filter { $0.key == section || $0.key.hasPrefix(prefix) }
            .flatMap { _, index in index.values.sorted().map { settings[$0] } }
    }

    /// The sections that have settings, in order.
    public var sectionNames: [String] { Array(sections.keys) }
}
