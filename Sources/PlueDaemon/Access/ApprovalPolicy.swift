import PlueConfig

/// Which changes take two people, by the settings that run.
struct ApprovalPolicy: Hashable, Sendable {
    private let isRequired: Bool
    private let scope: SectionScope

    init(_ settings: SecuritySettings) {
        isRequired = settings.requireApproval
        scope = SectionScope(settings.approvalSections.isEmpty ? nil : settings.approvalSections)
    }

    /// The sections that keep a change from being made by one alone, sorted; none when it may be.
    func sections(of changes: [Plan.Change]) -> [String] {
        guard isRequired else { return [] }
        return Set(changes.map(\.key).filter { scope.covers($0) || Self.isOfItself($0) }.map(\.section)).sorted()
    }

    /// Whether a setting says who may do what: by changing it alone, one could become two.
    private static func isOfItself(_ key: SettingKey) -> Bool {
        switch (key.section, key.name) {
        case ("security", "require_approval"), ("security", "approval_sections"), ("server", "tls_client_ca"),
            ("ssh", "authorized_keys"):
            true
        default: key.section.hasPrefix("security.client.")
        }
    }

    /// Keeps what files bring in from running: nobody can be asked about a file that was saved.
    func problem(with change: ProposedChange) -> Diagnostic? {
        let sections = sections(of: change.plan.changes)
        guard let key = change.plan.changes.map(\.key).first(where: { sections.contains($0.section) }) else { return nil }
        return Diagnostic(
            "needs-approval", key: key,
            "a change of \(sections.map { "[\($0)]" }.joined(separator: ", ")) takes somebody else's approval, so a file that was saved does not make it",
            hint: "ask for it with 'plue apply FILE', the very file, and have another approve it with 'plue approve'; or put the file back")
    }

    /// Refuses a change that takes two, where nobody can be asked.
    func admit(_ change: ProposedChange) throws(ChangeRefusal) {
        let sections = sections(of: change.plan.changes)
        guard sections.isEmpty else { throw .needsApproval(sections) }
    }
}
