public import PlueConfig
import PlueLedger
import SystemPackage

/// Two configurations side by side, setting by setting.
public struct Comparison: Sendable {
    /// How the two sides are called: "version 41", "the files".
    public let old: String
    public let new: String
    private let changes: [Plan.Change]
    private let services: [PlannedService]
    private let pendingRestart: [SettingKey]
    private let fingerprints: Fingerprints

    private typealias Side = Planned<DaemonSettings>

    private init(
        _ old: (name: String, side: Side?), _ new: (name: String, side: Side), services: [PlannedService], _ fingerprints: Fingerprints
    ) {
        self.old = old.name
        self.new = new.name
        changes = Plan.changes(from: old.side?.snapshot.settings, to: new.side.snapshot.settings)
        self.services = services
        pendingRestart = changes.filter { $0.effect == .restart }.map(\.key)
        self.fingerprints = fingerprints
    }

    /// What runs against the files, or against a file in the place of the profile's own document.
    ///
    /// What runs is the newest version of the history; with no history everything is new.
    public static func against(running deployment: Deployment, file: String?) async throws -> Comparison {
        var candidate = await deployment.source.read(deployment.environment)
        if let file { candidate.replaceProfile(with: try SystemFiles().read(FilePath(file)), displayName: file) }
        let new = try deployment.plan(candidate)
        let running = try await deployment.runningVersion()
        let old = try running.map { try deployment.plan($0.candidate) }
        let services = DaemonServices.plan(from: old?.snapshot.value, to: new.snapshot.value)
        return Comparison(
            (running.map { "version \($0.number)" } ?? "nothing", old), (file ?? "the files", new), services: services,
            deployment.fingerprints())
    }

    /// A version against another, or against the files.
    public static func between(version old: Int, _ new: Int?, _ deployment: Deployment) async throws -> Comparison {
        let left = try deployment.plan(try await deployment.candidate(ofVersion: old))
        let right: Planned<DaemonSettings>
        if let new {
            right = try deployment.plan(try await deployment.candidate(ofVersion: new))
        } else {
            right = try deployment.plan(await deployment.source.read(deployment.environment))
        }
        return Comparison(
            ("version \(old)", left), (new.map { "version \($0)" } ?? "the files", right), services: [], deployment.fingerprints())
    }

    /// Two environments of the same directory.
    public static func between(environments old: EnvironmentName, _ new: EnvironmentName, _ deployment: Deployment) async throws
        -> Comparison
    {
        let left = try deployment.plan(await deployment.source.read(old))
        let right = try deployment.plan(await deployment.source.read(new))
        return Comparison((old.rawValue, left), (new.rawValue, right), services: [], deployment.fingerprints())
    }

    /// For people: a line for each setting, and what the services would do.
    public func text(colour: Bool, services showsServices: Bool) -> String {
        guard !changes.isEmpty else { return "\(old) and \(new) are the same" }
        func painted(_ text: String, _ code: Int) -> String { colour ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
        var lines = ["\(old) → \(new)"]
        for change in changes {
            lines.append(
                "  \(change.key): \(painted(fingerprints.shown(change.old).description, 31)) → \(painted(fingerprints.shown(change.new).description, 32))\(change.isOfContentOnly ? "  (the file's content)" : "")\(change.effect == .restart ? "  (after a restart)" : "")"
            )
            lines.append("      \([change.oldOrigin, change.newOrigin].filter { !$0.isEmpty }.joined(separator: " → "))")
        }
        if showsServices {
            lines.append("services:")
            lines += services.isEmpty ? ["  none takes part"] : services.map { "  \($0.name): \($0.action.rawValue)" }
        }
        lines.append("\(changes.count) setting\(changes.count == 1 ? "" : "s")")
        return lines.joined(separator: "\n")
    }

    public var json: JSONValue {
        [
            "old": .string(old), "new": .string(new),
            "changes": .array(changes.map { PlanAnswer.change($0, fingerprints) }),
            "services": .array(services.map { ["name": .string($0.name), "action": .string($0.action.rawValue)] }),
            "pendingRestart": .array(pendingRestart.map { .string($0.description) }),
        ]
    }
}
