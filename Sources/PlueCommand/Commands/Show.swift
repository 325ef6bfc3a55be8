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
        let deployment = try options.deployment(overrides: overrides)
        let (planned, fingerprints) = try await options.load(deployment)
        let settings = try select(planned.snapshot.settings)
        if options.format == .json {
            options.print(json(settings, planned, fingerprints))
        } else {
            options.print(text(settings, fingerprints))
        }
    }

    /// The settings that were asked for.
    private func select(_ table: SettingTable) throws -> [EffectiveSetting] {
        guard let key else { return Array(table) }
        if let exact = SettingKey(key), let setting = table[exact] { return [setting] }
        let section = table.settings(in: key)
        guard section.isEmpty else { return section }
        let known = table.map(\.key.description) + table.sectionNames
        options.complain(
            "there is no setting or section '\(key)'" + (suggestion(for: key, among: known).map { "; did you mean '\($0)'?" } ?? ""))
        throw ExitCode.failure
    }

    private func text(_ settings: [EffectiveSetting], _ fingerprints: Fingerprints) -> String {
        if let setting = settings.first, settings.count == 1, key == setting.key.description, !origins {
            return fingerprints.shown(setting.content).description
        }
        var lines: [String] = []
        var section: String?
        for setting in settings {
            if setting.key.section != section {
                if section != nil { lines.append("") }
                lines.append("[\(setting.key.section)]")
                section = setting.key.section
            }
            var line = "\(setting.key.name) = \(fingerprints.shown(setting.content))"
            if origins { line += "    # \(setting.origin.summary)" }
            if let pending = setting.pending { line += "    # after a restart: \(fingerprints.shown(pending))" }
            lines.append(line)
        }
        return lines.joined(separator: "\n")
    }

    private func json(_ settings: [EffectiveSetting], _ planned: Planned<DaemonSettings>, _ fingerprints: Fingerprints) -> JSONValue {
        if let setting = settings.first, settings.count == 1, key == setting.key.description {
            return ConfigurationJSON.setting(setting, version: planned.snapshot.version, fingerprints)
        }
        return origins
            ? ConfigurationJSON.origins(settings, version: planned.snapshot.version, fingerprints)
            : ConfigurationJSON.values(settings, version: planned.snapshot.version, fingerprints)
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
