public import PlueConfig

/// Why a setting has its value: every layer's word, from the default up, and which wins.
public struct Explanation: Sendable {
    private let setting: EffectiveSetting
    private let fingerprints: Fingerprints

    public init(_ setting: EffectiveSetting, _ fingerprints: Fingerprints) {
        self.setting = setting
        self.fingerprints = fingerprints
    }

    /// The layers from the lowest, each with what it says; a secret's written text is not shown.
    private var layers: [(place: String, says: String, wins: Bool)] {
        let isSecret = setting.content.isSecret || setting.model.isSecret
        var rows = [
            (place: "default", says: setting.model.defaultValue.map { isSecret ? "(secret)" : quoted($0.description) } ?? "(unset)", wins: !setting.isExplicit)
        ]
        for contribution in setting.contributions {
            rows.append((contribution.origin.summary, isSecret ? "(secret)" : contribution.written.map(quoted) ?? "(several lines)", false))
        }
        if setting.isExplicit, !rows.isEmpty { rows[rows.count - 1].wins = true }
        return rows
    }

    private func quoted(_ text: String) -> String { text.isEmpty ? "\"\"" : text }

    /// For people.
    public func text(colour: Bool) -> String {
        let bold = colour ? "\u{1B}[1m" : ""
        let plain = colour ? "\u{1B}[0m" : ""
        var lines = ["\(bold)\(setting.key) = \(fingerprints.shown(setting.content))\(plain)"]
        if let pending = setting.pending { lines.append("  after a restart: \(fingerprints.shown(pending))") }
        if !setting.model.summary.isEmpty { lines.append("  \(setting.model.summary)") }
        lines.append("  \(facts.joined(separator: " · "))")
        lines.append("")
        let width = layers.map(\.place.count).max() ?? 0
        for layer in layers.reversed() {
            lines.append("  \(layer.wins ? "▶" : " ") \(layer.place)\(String(repeating: " ", count: width - layer.place.count))  \(layer.says)\(layer.wins ? "" : "  (overridden)")")
        }
        return lines.joined(separator: "\n")
    }

    private var facts: [String] {
        var facts = [setting.model.kind.summary] + setting.model.constraints.map(\.requirement)
        if setting.model.isRequired { facts.append("required") }
        if setting.content.isSecret { facts.append("secret") }
        if setting.model.effect == .restart { facts.append("takes effect at the next start") }
        return facts
    }

    public var json: JSONValue {
        JSONValue([
            "key": .string(setting.key.description),
            "value": fingerprints.shown(setting.content).json,
            "pending": setting.pending.map { fingerprints.shown($0).json },
            "secret": .boolean(setting.content.isSecret),
            "description": .string(setting.model.summary),
            "type": .string(setting.model.kind.summary),
            "layers": .array(layers.map { ["place": .string($0.place), "written": .string($0.says), "wins": .boolean($0.wins)] }),
        ])
    }
}
