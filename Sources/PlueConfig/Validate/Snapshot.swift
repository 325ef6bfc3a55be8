import SystemPackage

/// The configuration that runs, or would: immutable, validated, typed. Holding one is the proof that its candidate was valid.
public final class Snapshot<Root: Settings>: Sendable {
    /// The settings struct. Related values read from one snapshot belong together.
    public let value: Root
    /// The version it was recorded as; 0 for a candidate that is not committed.
    public let version: Int
    /// Over the documents and the environment: `sha256:…`.
    public let digest: String
    /// Whose profile it was made from.
    public let environment: EnvironmentName
    /// Every setting with its origin.
    public let settings: SettingTable
    /// The settings whose new values wait for the next start.
    public let pendingRestart: [SettingKey]
    /// What the process started with, for settings that only change at a start.
    let startValues: [SettingKey: SettingModel.Decoded?]

    private init(
        value: Root, version: Int, digest: String, environment: EnvironmentName, settings: SettingTable,
        pendingRestart: [SettingKey], startValues: [SettingKey: SettingModel.Decoded?]
    ) {
        self.value = value
        self.version = version
        self.digest = digest
        self.environment = environment
        self.settings = settings
        self.pendingRestart = pendingRestart
        self.startValues = startValues
    }

    /// The same snapshot under the number that its commit was given.
    func numbered(_ version: Int) -> Snapshot {
        Snapshot(
            value: value, version: version, digest: digest, environment: environment, settings: settings,
            pendingRestart: pendingRestart, startValues: startValues)
    }

    /// Checks a resolution against the schema: types, rules, required settings, then the rules over several settings.
    ///
    /// The only way to a snapshot.
    /// - Parameter running: What runs now; settings that only change at a start keep its values.
    /// - Returns: The snapshot, or `nil` when there is an error among the problems.
    static func validate(
        _ resolution: Resolution, by schema: Schema<Root>, including model: SectionModel, digest: String,
        in context: RuleContext, files: [FilePath: Result<WatchedFile, FileReadError>], beside running: Snapshot?
    ) -> (snapshot: Snapshot?, problems: [Diagnostic]) {
        var check = Check(resolution, model: model, context: context, files: files, startValues: running?.startValues)
        check.run()
        guard !check.problems.hasErrors, !resolution.problems.hasErrors else { return (nil, check.problems) }
        var build = SettingsBuild(context: context)
        var value = build.settings(Root.self, from: check.decoded)
        check.report(build.broken)
        guard !check.problems.hasErrors else { return (nil, check.problems) }
        value.adopt(check.settings)
        let snapshot = Snapshot(
            value: value, version: 0, digest: digest, environment: context.environment, settings: check.settings,
            pendingRestart: check.pendingRestart, startValues: check.startValues)
        return (snapshot, check.problems)
    }
}
