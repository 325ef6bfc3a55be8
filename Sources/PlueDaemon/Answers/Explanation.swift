import OrderedCollections
public import PlueConfig

/// Why a setting has its value: every layer's word, from the default up, and which wins.
public struct Explanation: Sendable {
    private let key: SettingKey
    private let model: SettingModel
    /// `nil` when the candidate is refused, so that nothing has a value yet.
    private let content: SettingContent?
    private let pending: SettingContent?
    private let contributions: [Contribution]
    private let fingerprints: Fingerprints

    /// Of a setting that has a value.
    public init(_ setting: EffectiveSetting, _ fingerprints: Fingerprints) {
        key = setting.key
        model = setting.model
        content = setting.content
        pending = setting.pending
        contributions = setting.contributions
        self.fingerprints = fingerprints
    }

    /// Of a setting in a candidate that was refused: what the layers say, which is where the mistake is.
    /// - Returns: `nil` when the schema has no such setting.
    public init?(_ key: SettingKey, refused layers: LayerStack, by schema: SectionModel, _ fingerprints: Fingerprints) {
        guard let model = schema.setting(for: key) else { return nil }
        self.key = key
        self.model = model
        content = nil
        pending = nil
        let value = layers.sections[key.section]?.keys[key.name]
        contributions = value.map { $0.overridden + [$0.winner] } ?? []
        self.fingerprints = fingerprints
    }

    private var isSecret: Bool { model.isSecret || content?.isSecret == true }

    /// The layers from the lowest, each with what it says; a secret's written text is not shown.
    private var layers: [(place: String, says: String, wins: Bool)] {
        let fallback = model.defaultValue.map { isSecret ? "(secret)" : quoted($0.description) } ?? "(unset)"
        var rows = [(place: "default", says: fallback, wins: contributions.isEmpty)]
        for contribution in contributions {
            rows.append((contribution.origin.summary, isSecret ? "(secret)" : contribution.written.map(quoted) ?? "(several lines)", false))
        }
        rows[rows.count - 1].wins = true
        return rows
    }

    private func quoted(_ text: String) -> String { text.isEmpty ? "\"\"" : text }

    /// For people.
    public func text(colour: Bool) -> String {
        let bold = colour ? "\u{1B}[1m" : ""
        let plain = colour ? "\u{1B}[0m" : ""
        let value = content.map { "= \(fingerprints.shown($0))" } ?? "has no value: the configuration is refused"
        var lines = ["\(bold)\(key) \(value)\(plain)"]
        if let pending { lines.append("  after a restart: \(fingerprints.shown(pending))") }
        if !model.summary.isEmpty { lines.append("  \(model.summary)") }
        lines.append("  \(facts.joined(separator: " · "))")
        lines.append("")
        let width = layers.map(\.place.count).max() ?? 0
        for layer in layers.reversed() {
            lines.append(
                "  \(layer.wins ? "▶" : " ") \(layer.place)\(String(repeating: " ", count: width - layer.place.count))  \(layer.says)\(layer.wins ? "" : "  (overridden)")"
            )
        }
        return lines.joined(separator: "\n")
    }

    private var facts: [String] {
        var facts = [model.kind.summary] + model.constraints.map(\.requirement)
        if model.isRequired { facts.append("required") }
        if isSecret { facts.append("secret") }
        if model.effect == .restart { facts.append("takes effect at the next start") }
        return facts
    }

    public var json: JSONValue {
        JSONValue([
            "key": .string(key.description),
            "value": content.map { fingerprints.shown($0).json },
            "pending": pending.map { fingerprints.shown($0).json },
            "secret": .boolean(isSecret),
            "description": .string(model.summary),
            "type": .string(model.kind.summary),
            "layers": .array(layers.map { ["place": .string($0.place), "written": .string($0.says), "wins": .boolean($0.wins)] }),
        ])
    }
}
