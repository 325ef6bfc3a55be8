import ArgumentParser
import Foundation
import PlueConfig
import PlueDaemon
import SystemPackage

/// `plue check`: everything that is wrong, at once, with places.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Validate the profile, or the files given.",
        discussion: "Files are layered in the order given, the last one winning. Exits with 65 when there is an error.")

    @OptionGroup var options: GlobalOptions

    @Option(help: ArgumentHelp("Validate against this JSON Schema (2020-12) instead of Plue's own settings.", valueName: "file"))
    var schema: String?

    @Argument(help: "Documents to validate instead of the profile's.")
    var files: [String] = []

    func run() async throws {
        // Files that are named may be another program's.
        let deployment = try await files.isEmpty ? options.deploymentLookedAt() : options.deployment()
        do {
            let candidate = await files.isEmpty ? deployment.source.read(deployment.environment) : deployment.candidate(ofFiles: files)
            let diagnostics = (files.isEmpty ? deployment.statePermissions() : []) + (try check(candidate, deployment))
            if !diagnostics.isEmpty || options.format != .text { options.report(diagnostics, asAnswer: true) }
            if diagnostics.hasErrors { throw ExitCode.invalidConfiguration }
            if options.format == .text, diagnostics.isEmpty {
                options.print(
                    "\(files.isEmpty ? "\(deployment.directory) (\(deployment.environment))" : files.joined(separator: ", ")): valid")
            }
        } catch let error as ConfigurationError {
            throw options.refuse(error)
        }
    }

    private func check(_ candidate: Candidate, _ deployment: Deployment) throws -> [Diagnostic] {
        guard let schema else {
            return Checker<DaemonSettings>.check(candidate, extraSections: try deployment.extraSections())
        }
        return Checker<NoSettings>.check(candidate, extraSections: try Deployment.sections(ofSchema: FilePath(schema)))
    }
}

/// A program whose settings are described by a JSON Schema alone.
struct NoSettings: Settings {
    static let schema = Schema<Self> {}
}

/// The road up to the plan, for its diagnostics only.
enum Checker<Root: Settings> {
    static func check(_ candidate: Candidate, extraSections: SectionModel?) -> [Diagnostic] {
        switch Planned<Root>.plan(candidate, extraSections: extraSections) {
        case .success(let planned): planned.plan.warnings
        case .failure(let rejection): rejection.diagnostics
        }
    }
}
