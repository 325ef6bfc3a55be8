import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue console`: the way into the console, for whoever may use the socket.
struct Console: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the console's address with a code that signs one browser in, once, within a minute.")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        do {
            let answer = try await options.client(try options.deployment()).post("/v1/console-code")
            options.format == .json ? options.print(answer) : options.print(answer["url"]?.string ?? "")
        } catch {
            throw options.end(error)
        }
    }
}
