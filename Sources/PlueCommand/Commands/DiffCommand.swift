import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue diff`: setting by setting, never the secrets.
struct DiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compare settings: what runs against the files, a version against the files, two versions, or two environments.")

    @OptionGroup var options: GlobalOptions

    @Flag(help: "The two arguments are environments.")
    var environments = false

    @Argument(help: "A version; or an environment, with --environments.")
    var old: String?

    @Argument(help: "Another; the files when left out.")
    var new: String?

    func run() async throws {
        let deployment = try await options.deploymentLookedAt()
        do {
            let comparison: Comparison
            if environments {
                guard let old, let new, let left = EnvironmentName(old), let right = EnvironmentName(new) else {
                    throw ValidationError("--environments takes two environments: plue diff --environments staging production")
                }
                comparison = try await .between(environments: left, right, deployment)
            } else if let old {
                comparison = try await .between(version: version(old), new.map(version), deployment)
            } else {
                comparison = try await .against(running: deployment, file: nil)
            }
            options.format == .json
                ? options.print(comparison.json) : options.print(comparison.text(colour: options.usesColour(on: 1), services: false))
        } catch {
            throw options.end(error)
        }
    }

    private func version(_ text: String) throws -> Int {
        guard let number = Int(text.hasPrefix("v") ? String(text.dropFirst()) : text), number > 0 else {
            throw ValidationError("'\(text)' is not a version's number")
        }
        return number
    }
}
