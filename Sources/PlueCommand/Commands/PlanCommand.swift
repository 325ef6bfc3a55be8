import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue plan`: what an apply would do. Touches nothing.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Say what applying a change, or the files as they are, would do, service by service; touches nothing.",
        discussion:
            "The answer names the version it was planned beside: 'plue apply --if-version' makes the change only while that one runs.")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var change: EditOptions

    func run() async throws {
        let deployment = try await options.runningDeployment()
        do {
            let edits = try change.edits(in: deployment)
            let plan = try await options.daemon(deployment) { daemon in
                try await daemon.ask(
                    edits.isEmpty
                        ? DaemonClient.Request(method: .post, path: "/v1/plan")
                        : DaemonClient.Request(
                            method: .post, path: "/v1/plan", body: EditsJSON.json(edits), type: EditsJSON.mediaType))
            } orElse: {
                try await Offline(deployment).plan(edits)
            }
            options.format == .json
                ? options.print(plan) : options.print(PlanAnswer.text(plan, colour: options.usesColour(on: 1)))
        } catch {
            throw options.end(error)
        }
    }
}
