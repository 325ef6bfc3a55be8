import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue apply`: one transaction.
struct Apply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Change settings or whole documents, as one transaction: everything follows, or nothing has changed.",
        discussion: """
            Talks to the running daemon; with none running it works on the directory itself. 'plue plan' takes the same arguments and \
            touches nothing. Exits with 65 when the result would be invalid, 75 when another version runs, another change waits, or this one waits \
            for somebody's approval.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var change: EditOptions
    @OptionGroup var conditions: ConditionOptions

    func run() async throws {
        let deployment = try await options.runningDeployment()
        do {
            let edits = try change.edits(in: deployment)
            guard !edits.isEmpty else {
                throw ValidationError("nothing to apply: give --set section.key=value, --unset, --delete or a file")
            }
            let answer = try await options.daemon(deployment) { daemon in
                try await daemon.ask(
                    conditions.request(.patch, "/v1/config", EditsJSON.json(edits), type: EditsJSON.mediaType))
            } orElse: {
                try await Offline(deployment).apply(
                    ChangeRequest(
                        edits, cause: Offline.cause(reason: conditions.reason), ifVersion: conditions.ifVersion,
                        confirmWithin: try conditions.time(), replacesPending: conditions.replacePending))
            }
            try options.tell(answer)
        } catch {
            throw options.end(error)
        }
    }
}
