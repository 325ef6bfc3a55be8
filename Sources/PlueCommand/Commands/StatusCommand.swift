import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue status`: what runs, and what was last tried.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Say what the running daemon runs, what it last tried, and what waits.")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let deployment = try options.deployment()
        do {
            let status = try await options.client(deployment).get("/v1/status")
            options.format == .json ? options.print(status) : options.print(StatusText.text(status))
        } catch {
            throw options.end(error)
        }
    }
}
