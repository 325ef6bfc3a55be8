import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue confirm`: the change that waits stays.
struct Confirm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let the change that waits to be confirmed stay.")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let deployment = try options.deployment()
        do {
            let answer = try await options.daemon(deployment) { daemon in
                try await daemon.ask(DaemonClient.Request(method: .post, path: "/v1/confirm"))
            } orElse: {
                try await Offline(deployment).confirm()
            }
            options.format == .json ? options.print(answer) : options.print("version \(answer["version"]?.integer ?? 0) is confirmed")
        } catch {
            throw options.end(error)
        }
    }
}
