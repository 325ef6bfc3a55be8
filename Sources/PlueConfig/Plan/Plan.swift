/// What going from the running snapshot to another would change.
///
/// `plue plan`, dry runs and the API stop here; a commit carries exactly this out.
public struct Plan: Sendable {
    /// The settings whose value differs, by name.
    public let changes: [Change]
    /// What each registered service will do.
    public let services: [PlannedService]
    /// The settings that will wait for the next start.
    public let pendingRestart: [SettingKey]
    /// What is doubtful about the candidate.
    public internal(set) var warnings: [Diagnostic]

    /// One setting's way from old to new.
    public struct Change: Sendable {
        /// The setting.
        public let key: SettingKey
        /// `unset` when the running snapshot has no such setting.
        public let old: SettingContent
        /// What it would be; a fingerprint when it is secret.
        public let new: SettingContent
        /// When the change counts.
        public let effect: Effect
        // Where they stand is worked out when somebody asks: it takes longer than finding the change.
        fileprivate let oldPlace: Origin?
        fileprivate let newPlace: Origin?

        /// Where the old value stands, `config/base.ini:3:8` or `default`; empty when there was no such setting.
        public var oldOrigin: String { oldPlace?.summary ?? "" }
        /// Where the new value stands; empty when there is no such setting any more.
        public var newOrigin: String { newPlace?.summary ?? "" }
        /// Whether the same file is named as before, and only what it holds is another.
        public var isOfContentOnly: Bool {
            if case .file(let old, _) = old, case .file(let new, _) = new { old.path == new.path } else { false }
        }
    }

    /// Whether there is anything to do.
    public var isEmpty: Bool { changes.isEmpty }

    init<Root: Settings>(
        from running: Snapshot<Root>?, to next: Snapshot<Root>, services: ServiceSet<Root>, warnings: [Diagnostic]
    ) {
        changes = Self.changes(from: running?.settings, to: next.settings)
        self.services = services.plan(from: running?.value, to: next.value, changed: changes.lazy.map(\.key))
        pendingRestart = next.pendingRestart
        self.warnings = warnings
    }

    /// The settings that differ between two tables; against `nil`, those that some layer sets.
    public static func changes(from old: SettingTable?, to new: SettingTable) -> [Change] {
        guard let old else {
            return new.filter(\.isExplicit).map { change($0.key, nil, $0) }
        }
        var changes: [Change] = []
        for setting in new {
            let before = old[setting.key]
            if before.map({ !$0.configured.isSame(as: setting.configured) }) ?? !setting.configured.isUnset {
                changes.append(change(setting.key, before, setting))
            }
        }
        for setting in old where new[setting.key] == nil && !setting.configured.isUnset {
            changes.append(change(setting.key, setting, nil))
        }
        return changes.sorted { $0.key < $1.key }
    }

    private static func change(_ key: SettingKey, _ old: EffectiveSetting?, _ new: EffectiveSetting?) -> Change {
        Change(
            key: key, old: old?.configured ?? .unset, new: new?.configured ?? .unset,
            effect: (new ?? old)?.model.effect ?? .live, oldPlace: old?.origin, newPlace: new?.origin)
    }
}

extension EffectiveSetting {
    /// What the layers say, whether it runs yet or not.
    package var configured: SettingContent { pending ?? content }
}

extension SettingContent {
    var isUnset: Bool { if case .unset = self { true } else { false } }
}
