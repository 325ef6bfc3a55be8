import Foundation
import OrderedCollections
public import PlueConfig
import PlueDocuments
import PlueLedger
import SystemPackage

/// Why a setting has its value: every layer's word, from the default up, and which wins.
public struct Explanation: Sendable {
    private let key: SettingKey
    private let model: SettingModel
    /// `nil` when the candidate is refused, so that nothing has a value yet.
    private let content: SettingContent?
    private let pending: SettingContent?
    private let contributions: [Contribution]
    private let fingerprints: Fingerprints
    /// Since when each contribution has been what it is; `nil` for one that no version has, or whose beginning is not kept.
    private var beginnings: [HistoryPage.Entry?] = []
    /// What the daemon says that it runs: `{"value":…,"version":…}`; `nil` when none answers.
    public var running: JSONValue?

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

    /// Looks up in the history which version brought each layer's value.
    public mutating func trace(in deployment: Deployment) async throws {
        guard let ledger = try? Ledger.reading(deployment.stateDirectory) else { return }
        beginnings = []
        for contribution in contributions {
            guard let (name, written) = place(contribution, deployment.directory) else {
                beginnings.append(nil)
                continue
            }
            let key = key
            beginnings.append(
                try await ledger.since(name, in: deployment.environment) { bytes in
                    guard let bytes, let document = try? Document(parsing: bytes, name: name),
                        let entry = document.firstEntry(section: key.section, key: key.name)
                    else { return false }
                    return document.rawText(of: entry) == written
                })
        }
    }

    /// The document's name inside the configuration directory, and the value as it is written there.
    private func place(_ contribution: Contribution, _ directory: FilePath) -> (name: String, written: String)? {
        guard case .entry(let layer, let entry) = contribution.origin, let document = layer.document else { return nil }
        let prefix = directory.string + "/"
        return (
            document.name.hasPrefix(prefix) ? String(document.name.dropFirst(prefix.count)) : document.name, document.rawText(of: entry)
        )
    }

    private var isSecret: Bool { model.isSecret || content?.isSecret == true }

    /// The layers from the lowest, each with what it says; a secret's written text is not shown.
    private var layers: [(place: String, says: String, wins: Bool, since: HistoryPage.Entry?)] {
        let fallback = model.defaultValue.map { isSecret ? "(secret)" : quoted($0.description) } ?? "(unset)"
        var rows: [(place: String, says: String, wins: Bool, since: HistoryPage.Entry?)] = [
            ("default", fallback, contributions.isEmpty, nil)
        ]
        for (index, contribution) in contributions.enumerated() {
            rows.append(
                (
                    contribution.origin.summary, isSecret ? "(secret)" : contribution.written.map(quoted) ?? "(several lines)", false,
                    beginnings.indices.contains(index) ? beginnings[index] : nil
                ))
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
            if let since = layer.since { lines.append("      \(sentence(since))") }
        }
        if let running {
            lines.append("")
            lines.append("  runs: \(PlanAnswer.shown(running["value"])) in version \(running["version"]?.integer ?? 0)")
        }
        return lines.joined(separator: "\n")
    }

    /// `since version 5, 2026-11-24T12:00:00Z, api unix:0: less is more`
    private func sentence(_ entry: HistoryPage.Entry) -> String {
        let cause = entry.attempt.cause
        return
            "since version \(entry.version?.number ?? 0), \(entry.attempt.at.formatted(.iso8601)), \(cause.trigger.rawValue) \(cause.actor)"
            + (cause.reason.isEmpty ? "" : ": \(cause.reason)")
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
            "layers": .array(
                layers.map { layer in
                    JSONValue([
                        "place": .string(layer.place), "written": .string(layer.says), "wins": .boolean(layer.wins),
                        "since": layer.since.map(since),
                    ])
                }),
            "running": running,
        ])
    }

    private func since(_ entry: HistoryPage.Entry) -> JSONValue {
        [
            "version": entry.version.map { .integer($0.number) } ?? .null, "at": .string(entry.attempt.at.formatted(.iso8601)),
            "trigger": .string(entry.attempt.cause.trigger.rawValue), "actor": .string(entry.attempt.cause.actor),
            "reason": .string(entry.attempt.cause.reason),
        ]
    }
}
