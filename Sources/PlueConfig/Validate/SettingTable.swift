import OrderedCollections

/// All settings of a snapshot by name, those at their default included.
public struct SettingTable: Sendable, RandomAccessCollection {
    private var settings: ContiguousArray<EffectiveSetting> = []
    private var sections: OrderedDictionary<String, Rows> = [:]

    /// Where a section's settings lie.
    private struct Rows {
        let start: Int
        var names = NameTable()
    }

    init() {}

    mutating func reserveCapacity(_ count: Int) { settings.reserveCapacity(count) }

    /// Adds a section with its settings; a section is added once.
    mutating func add(_ section: String, _ added: [EffectiveSetting]) {
        guard !added.isEmpty else { return }
        var rows = Rows(start: settings.count)
        rows.names.reserveCapacity(added.count)
        for setting in added { rows.names.append(setting.key.name) }
        settings.append(contentsOf: added)
        sections[section] = rows
    }

    public var startIndex: Int { settings.startIndex }
    public var endIndex: Int { settings.endIndex }
    /// The setting at a position, in the schema's order.
    public subscript(position: Int) -> EffectiveSetting { settings[position] }

    /// The setting of that name, or `nil` when the snapshot has none.
    public subscript(key: SettingKey) -> EffectiveSetting? { setting(key.name, in: key.section) }

    /// The setting that the components name, the last one being the key.
    public func setting(at components: [String]) -> EffectiveSetting? {
        guard let name = components.last, components.count > 1 else { return nil }
        return setting(name, in: components.count == 2 ? components[0] : components.dropLast().joined(separator: "."))
    }

    private func setting(_ name: String, in section: String) -> EffectiveSetting? {
        guard let rows = sections[section], let position = rows.names.position(of: name) else { return nil }
        return settings[rows.start + position]
    }

    /// The settings of a section and of the sections below it; empty when there is none of that name.
    public func settings(in section: String) -> [EffectiveSetting] {
        let prefix = section + "."
        return sections.filter { $0.key == section || $0.key.hasPrefix(prefix) }
            .flatMap { settings[$1.start..<($1.start + $1.names.names.count)] }
    }

    /// The sections that have settings, in order.
    public var sectionNames: [String] { Array(sections.keys) }
}
