import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue show`: the effective configuration.
struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the effective configuration, secrets redacted.",
        discussion: "What the files and variables say now; 'plue status' says whether it runs.")

    @OptionGroup var options: GlobalOptions

    @Option(name: .customLong("set"), help: ArgumentHelp("Override a setting.", valueName: "section.key=value"))
    var overrides: [String] = []

    @Flag(help: "Say where each value comes from.")
    var origins = false

    @Argument(help: "A setting or a section; everything when left out.")
    var key: String?

    func run() async throws {
        let deployment = try await options.deploymentLookedAt(overrides: overrides)
        let (planned, fingerprints) = try await options.load(deployment)
        do {
            let settings = try SettingsText(key, in: planned.snapshot.settings)
            options.format == .json
                ? options.print(settings.json(origins: origins, version: planned.snapshot.version, fingerprints))
                : options.print(settings.text(origins: origins, fingerprints))
        } catch {
            options.complain(error.description)
            throw ExitCode.failure
        }
    }
}

extension GlobalOptions {
    /// Takes the files of a deployment down the road up to the plan, against nothing.
    /// - Throws: Exit code 65, after the diagnostics were printed.
    func load(_ deployment: Deployment) async throws -> (Planned<DaemonSettings>, Fingerprints) {
        do {
            let candidate = await deployment.source.read(deployment.environment)
            let planned = try Planned<DaemonSettings>.plan(candidate, extraSections: try deployment.extraSections()).get()
            if !planned.plan.warnings.isEmpty, format == .text { report(planned.plan.warnings) }
            return (planned, deployment.fingerprints())
        } catch let rejection as Rejection {
            throw refuse(rejection.diagnostics)
        } catch let error as ConfigurationError {
            throw refuse(error)
        }
    }
}
