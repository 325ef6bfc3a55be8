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
    private var beginnings: [ValueBeginning?] = []
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
        try await trace(in: ledger, of: deployment.environment, below: deployment.directory)
    }

    /// Looks up in a history which version brought each layer's value.
    mutating func trace(in ledger: LedgerReader, of environment: EnvironmentName, below directory: FilePath) async throws {
        beginnings = []
        for contribution in contributions {
            guard let (name, written) = place(contribution, directory) else {
                beginnings.append(nil)
                continue
            }
            let key = key
            beginnings.append(
                try await ledger.since(name, in: environment) { bytes in
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
    private var layers: [(place: String, says: String, wins: Bool, since: ValueBeginning?)] {
        let fallback = model.defaultValue.map { isSecret ? "(secret)" : quoted($0.description) } ?? "(unset)"
        var rows: [(place: String, says: String, wins: Bool, since: ValueBeginning?)] = [
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

    /// For people, from ``json``.
    public static func text(_ json: JSONValue, colour: Bool) -> String {
        let bold = colour ? "\u{1B}[1m" : ""
        let plain = colour ? "\u{1B}[0m" : ""
        let value = json["value"].map { "= \(PlanAnswer.shown($0))" } ?? "has no value: the configuration is refused"
        var lines = ["\(bold)\(json["key"]?.string ?? "") \(value)\(plain)"]
        if let pending = json["pending"] { lines.append("  after a restart: \(PlanAnswer.shown(pending))") }
        if let summary = json["description"]?.string, !summary.isEmpty { lines.append("  \(summary)") }
        lines.append("  \((json["facts"]?.elements ?? []).compactMap(\.string).joined(separator: " · "))")
        lines.append("")
        let layers = json["layers"]?.elements ?? []
        let width = layers.map { ($0["place"]?.string ?? "").count }.max() ?? 0
        for layer in layers.reversed() {
            let place = layer["place"]?.string ?? ""
            let wins = layer["wins"]?.boolean == true
            let says = VisibleText.of(layer["written"]?.string ?? "")
            lines.append(
                "  \(wins ? "▶" : " ") \(place)\(String(repeating: " ", count: width - place.count))  \(says)\(wins ? "" : "  (overridden)")"
            )
            if let since = layer["since"] { lines.append("      \(sentence(since))") }
        }
        if let running = json["running"] {
            lines.append("")
            lines.append("  runs: \(PlanAnswer.shown(running["value"])) in version \(running["version"]?.integer ?? 0)")
        }
        return lines.joined(separator: "\n")
    }

    /// `since version 5, 2026-11-24T12:00:00Z, api unix:0: less is more`
    private static func sentence(_ since: JSONValue) -> String {
        let reason = since["reason"]?.string ?? ""
        let time = since["at"]?.string ?? ""
        let version = since["version"]?.integer ?? 0
        guard since["exact"]?.boolean == true else { return "at least since version \(version), \(time)" }
        return "since version \(version), \(time), \(since["trigger"]?.string ?? "") \(VisibleText.of(since["actor"]?.string ?? ""))"
            + (reason.isEmpty ? "" : ": \(VisibleText.of(reason))")
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
            "facts": .array(facts.map { .string($0) }),
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

    private func since(_ beginning: ValueBeginning) -> JSONValue {
        let attempt = beginning.entry.attempt
        return [
            "version": beginning.entry.version.map { .integer($0.number) } ?? .null, "at": .string(attempt.at.formatted(.iso8601)),
            "trigger": .string(attempt.cause.trigger.rawValue), "actor": .string(attempt.cause.actor),
            "reason": .string(attempt.cause.reason), "exact": .boolean(beginning.isExact),
        ]
    }
}
