import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue plan`: what an apply would do. Touches nothing.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Say what applying the files, a file or --set would change, service by service; touches nothing.")

    @OptionGroup var options: GlobalOptions

    @Option(name: .customLong("set"), help: ArgumentHelp("A change to plan.", valueName: "section.key=value"))
    var overrides: [String] = []

    @Argument(help: "A document to take the place of the profile's own.")
    var file: String?

    func run() async throws {
        let deployment = try options.deployment(overrides: overrides)
        do {
            let comparison = try await Comparison.against(running: deployment, file: file)
            options.format == .json
                ? options.print(comparison.json) : options.print(comparison.text(colour: options.usesColour(on: 1), services: true))
        } catch {
            throw options.end(error)
        }
    }
}
