import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue explain`: why a setting has its value.
struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Say where a setting's value comes from: every layer's value, which wins, since which version, by whom, why; and what runs.")

    @OptionGroup var options: GlobalOptions

    @Option(name: .customLong("set"), help: ArgumentHelp("Override a setting.", valueName: "section.key=value"))
    var overrides: [String] = []

    @Argument(help: "The setting, section.key.")
    var key: String

    func run() async throws {
        let deployment = try options.deployment(overrides: overrides)
        let candidate = await deployment.source.read(deployment.environment)
        do {
            let planned = try deployment.plan(candidate)
            let table = planned.snapshot.settings
            guard let key = SettingKey(key), let setting = table[key] else { throw unknown(among: table.map(\.key.description)) }
            var explanation = Explanation(setting, deployment.fingerprints())
            try await explanation.trace(in: deployment)
            explanation.running = try? await DaemonClient(socket: deployment.socket).get("/v1/config/\(key.section)/\(key.name)")
            show(explanation)
        } catch let rejection as Rejection {
            // What is wrong may be just what is to be explained.
            guard let layers = rejection.layers else { throw options.end(rejection) }
            let schema = try deployment.model()
            guard let key = SettingKey(key), var explanation = Explanation(key, refused: layers, by: schema, deployment.fingerprints())
            else {
                throw unknown(among: schema.settingNames)
            }
            try await explanation.trace(in: deployment)
            explanation.running = try? await DaemonClient(socket: deployment.socket).get("/v1/config/\(key.section)/\(key.name)")
            if options.format == .json {
                var json = explanation.json
                json["diagnostics"] = DiagnosticJSON.report(rejection.diagnostics)
                options.print(json)
                throw ExitCode.invalidConfiguration
            }
            show(explanation)
            throw options.end(rejection)
        } catch {
            throw options.end(error)
        }
    }

    private func show(_ explanation: Explanation) {
        options.format == .json ? options.print(explanation.json) : options.print(explanation.text(colour: options.usesColour(on: 1)))
    }

    private func unknown(among names: [String]) -> ExitCode {
        let hint = suggestion(for: key, among: names).map { "; did you mean '\($0)'?" } ?? ""
        options.complain("there is no setting '\(key)'\(hint)")
        return .failure
    }
}
