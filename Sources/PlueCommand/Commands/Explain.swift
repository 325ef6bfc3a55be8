import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue explain`: why a setting has its value.
struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Say where a setting's value comes from: every layer's value, which wins, since which version, by whom, why; and what runs.",
        discussion:
            "The running daemon tells what it runs, with the variables and secrets that it has; with none running, the files are read.")

    @OptionGroup var options: GlobalOptions

    @Option(name: .customLong("set"), help: ArgumentHelp("Override a setting; read from the files.", valueName: "section.key=value"))
    var overrides: [String] = []

    @Argument(help: "The setting, section.key.")
    var key: String

    func run() async throws {
        let deployment = try await options.deploymentLookedAt(overrides: overrides)
        do {
            let known = try deployment.model()
            guard let key = SettingKey(key), known.setting(for: key) != nil else { throw unknown(among: known.settingNames) }
            guard overrides.isEmpty else { return try await explain(key, in: deployment) }
            do {
                let path = ([key.section.replacing(".", with: "/")] + [key.name]).joined(separator: "/")
                let answer = try await options.client(deployment).get("/v1/explain/\(path)")
                // What is wrong with the files may be just what is to be explained.
                if answer["drift"]?.boolean == true { return try await explain(key, in: deployment, beside: answer["running"]) }
                show(answer)
            } catch let unreachable as DaemonClient.Unreachable where !unreachable.isForbidden {
                try await explain(key, in: deployment)
            }
        } catch {
            throw options.end(error)
        }
    }

    /// From the files.
    private func explain(_ key: SettingKey, in deployment: Deployment, beside running: JSONValue? = nil) async throws {
        let candidate = await deployment.source.read(deployment.environment)
        do {
            let planned = try deployment.plan(candidate)
            guard let setting = planned.snapshot.settings[key] else {
                throw unknown(among: planned.snapshot.settings.map(\.key.description))
            }
            var explanation = Explanation(setting, deployment.fingerprints())
            try await explanation.trace(in: deployment)
            explanation.running = running
            show(explanation.json)
        } catch let rejection as Rejection {
            guard let layers = rejection.layers,
                var explanation = Explanation(key, refused: layers, by: try deployment.model(), deployment.fingerprints())
            else { throw rejection }
            try await explanation.trace(in: deployment)
            explanation.running = running
            var json = explanation.json
            if options.format == .json {
                json["diagnostics"] = DiagnosticJSON.report(rejection.diagnostics)
                options.print(json)
                throw ExitCode.invalidConfiguration
            }
            show(json)
            throw rejection
        }
    }

    private func show(_ json: JSONValue) {
        options.format == .json ? options.print(json) : options.print(Explanation.text(json, colour: options.usesColour(on: 1)))
    }

    private func unknown(among names: [String]) -> ExitCode {
        let hint = suggestion(for: key, among: names).map { "; did you mean '\($0)'?" } ?? ""
        options.complain("there is no setting '\(key)'\(hint)")
        return .failure
    }
}
