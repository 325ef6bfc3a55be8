public import PlueConfig

/// Settings as `show` prints them: one, a section, or all of them.
public struct SettingsText {
    private let settings: [EffectiveSetting]
    /// Whether one setting was asked for by its name.
    public let isOne: Bool

    /// The settings that a name stands for.
    /// - Parameter name: A setting or a section; everything when `nil`.
    /// - Throws: ``NoSuchName``.
    public init(_ name: String?, in table: SettingTable) throws(NoSuchName) {
        guard let name else {
            (settings, isOne) = (Array(table), false)
            return
        }
        if let key = SettingKey(name), let setting = table[key] {
            (settings, isOne) = ([setting], true)
            return
        }
        (settings, isOne) = (table.settings(in: name), false)
        if settings.isEmpty { throw NoSuchName(name: name, known: table.map(\.key.description) + table.sectionNames) }
    }

    /// For people: the value alone, or a document's form.
    public func text(origins: Bool, _ fingerprints: Fingerprints) -> String {
        if isOne, !origins, let setting = settings.first { return fingerprints.shown(setting.content).description }
        var lines: [String] = []
        var section: String?
        for setting in settings {
            if setting.key.section != section {
                if section != nil { lines.append("") }
                lines.append("[\(setting.key.section)]")
                section = setting.key.section
            }
            var line = "\(setting.key.name) = \(fingerprints.shown(setting.content))"
            if origins { line += "    # \(setting.origin.summary)" }
            if let pending = setting.pending { line += "    # after a restart: \(fingerprints.shown(pending))" }
            lines.append(line)
        }
        return lines.joined(separator: "\n")
    }

    public func json(origins: Bool, version: Int, _ fingerprints: Fingerprints) -> JSONValue {
        if isOne, let setting = settings.first { return ConfigurationJSON.setting(setting, version: version, fingerprints) }
        return origins
            ? ConfigurationJSON.origins(settings, version: version, fingerprints)
            : ConfigurationJSON.values(settings, version: version, fingerprints)
    }
}

/// A setting or section that there is not.
public struct NoSuchName: Error, Sendable, CustomStringConvertible {
    public let description: String

    init(name: String, known: [String]) {
        let hint = suggestion(for: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
        description = "there is no setting or section '\(name)'\(hint)"
    }
}
