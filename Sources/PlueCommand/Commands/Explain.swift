import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue explain`: why a setting has its value.
struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say where a setting's value comes from: every layer's value, place by place, and which wins.")

    @OptionGroup var options: GlobalOptions

    @Option(name: .customLong("set"), help: ArgumentHelp("Override a setting.", valueName: "section.key=value"))
    var overrides: [String] = []

    @Argument(help: "The setting, section.key.")
    var key: String

    func run() async throws {
        let deployment = try options.deployment(overrides: overrides)
        let (planned, fingerprints) = try await options.load(deployment)
        let table = planned.snapshot.settings
        guard let key = SettingKey(key), let setting = table[key] else {
            let hint = suggestion(for: self.key, among: table.map(\.key.description)).map { "; did you mean '\($0)'?" } ?? ""
            options.complain("there is no setting '\(self.key)'\(hint)")
            throw ExitCode.failure
        }
        let explanation = Explanation(setting, fingerprints)
        options.format == .json ? options.print(explanation.json) : options.print(explanation.text(colour: options.usesColour(on: 1)))
    }
}
