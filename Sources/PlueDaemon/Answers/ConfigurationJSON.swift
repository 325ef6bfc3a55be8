public import PlueConfig

/// Settings as the API and `--format json` give them. Secrets are shown as fingerprints only.
public enum ConfigurationJSON {
    /// `{"key":"server.port","value":8080,"secret":false,"origin":{…},"version":42}`
    public static func setting(_ setting: EffectiveSetting, version: Int, _ fingerprints: Fingerprints) -> JSONValue {
        JSONValue([
            "key": .string(setting.key.description),
            "value": fingerprints.shown(setting.content).json,
            "secret": .boolean(setting.content.isSecret || setting.model.isSecret),
            "origin": origin(setting.origin),
            "pending": setting.pending.map { fingerprints.shown($0).json },
            "version": .integer(version),
        ])
    }

    /// `{"version":42,"values":{"server":{"port":8080,…}}}`
    public static func values(_ settings: some Sequence<EffectiveSetting>, version: Int, _ fingerprints: Fingerprints) -> JSONValue {
        ["version": .integer(version), "values": tree(settings) { fingerprints.shown($0.content).json }]
    }

    /// The same with an object for each value that says where it comes from.
    public static func origins(_ settings: some Sequence<EffectiveSetting>, version: Int, _ fingerprints: Fingerprints) -> JSONValue {
        ["version": .integer(version), "values": tree(settings) { setting($0, version: version, fingerprints) }]
    }

    /// A section: an object of settings, sections below it nested.
    public static func section(
        _ settings: [EffectiveSetting], named name: String, version: Int, _ fingerprints: Fingerprints
    ) -> JSONValue {
        var section = tree(settings) { setting($0, version: version, fingerprints) }
        for component in name.split(separator: ".") { section = section[String(component)] ?? [:] }
        return section
    }

    /// `{"file":"production.ini","line":4,"column":8}`, `{"variable":"…"}`, `{"flag":"…"}` or `{"default":true}`.
    public static func origin(_ origin: Origin) -> JSONValue {
        switch origin {
        case .schemaDefault: return ["default": true]
        case .variable(let name): return ["variable": .string(name)]
        case .flag(let key): return ["flag": .string("--set \(key)")]
        case .entry:
            guard let place = origin.location else { return .null }
            return ["file": .string(place.file), "line": .integer(place.line), "column": .integer(place.column)]
        }
    }

    private static func tree(_ settings: some Sequence<EffectiveSetting>, _ value: (EffectiveSetting) -> JSONValue) -> JSONValue {
        var root: JSONValue = [:]
        for setting in settings { insert(value(setting), at: setting.key.components[...], into: &root) }
        return root
    }

    private static func insert(_ value: JSONValue, at path: ArraySlice<String>, into tree: inout JSONValue) {
        guard let first = path.first else { return }
        if path.count == 1 {
            tree[first] = value
        } else {
            var child = tree[first] ?? [:]
            insert(value, at: path.dropFirst(), into: &child)
            tree[first] = child
        }
    }
}
