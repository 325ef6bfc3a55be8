import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue rollback`: a former version's documents, as a new version.
struct Rollback: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a former version run again: its documents go through the same checks and become a new version.",
        discussion: "Exits with 65 when today's schema refuses them; then nothing has changed.")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var conditions: ConditionOptions

    @Argument(help: "The version, as 'plue history' shows it.")
    var version: String

    func run() async throws {
        let deployment = try options.deployment()
        do {
            guard let number = Int(version.hasPrefix("v") ? String(version.dropFirst()) : version), number > 0 else {
                throw ValidationError("'\(version)' is not a version's number")
            }
            let answer = try await options.daemon(deployment) { daemon in
                try await daemon.ask(
                    conditions.request(.post, "/v1/rollback", ["version": .integer(number)], type: "application/json"))
            } orElse: {
                try await Offline(deployment).rollback(
                    to: number, Offline.cause(reason: conditions.reason), ifVersion: conditions.ifVersion,
                    confirmWithin: try conditions.time(), replacesPending: conditions.replacePending)
            }
            try options.tell(answer)
        } catch {
            throw options.end(error)
        }
    }
}
