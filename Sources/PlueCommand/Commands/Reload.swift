import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue reload`: the files, now.
struct Reload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the daemon read its files now, and say how that ended.",
        discussion: "Exits with 65 when the files are invalid, 1 when a service refused; what ran before still runs then.")

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Take files at their word that are empty or drop most settings.")
    var force = false

    func run() async throws {
        let deployment = try options.deployment()
        do {
            let answer = try await options.client(deployment).post("/v1/reload" + (force ? "?force=true" : ""))
            options.format == .json ? options.print(answer) : options.print(StatusText.reload(answer))
        } catch {
            throw options.end(error)
        }
    }
}
