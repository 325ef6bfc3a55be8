/// What became current, and what it replaced.
public struct Publication<Root: Settings>: Sendable {
    /// `nil` for the first.
    public let old: Snapshot<Root>?
    /// What runs from now on.
    public let new: Snapshot<Root>
    /// The settings that differ.
    public let changedKeys: [SettingKey]

    /// Whether a section or setting, or anything below it, differs.
    func touches(_ path: SettingPath?) -> Bool {
        guard let path, !path.isEmpty else { return true }
        let name = path.joined(separator: ".")
        return changedKeys.contains { $0.isWithin(name) }
    }
}
