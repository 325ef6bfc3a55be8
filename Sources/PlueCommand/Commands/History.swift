import ArgumentParser
import PlueConfig
import PlueDaemon
import PlueLedger

/// `plue history`: the versions, and what was refused between them.
struct History: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the versions and the candidates that were refused, newest first.")

    @OptionGroup var options: GlobalOptions

    @Option(help: "At most so many entries (1 to 1000).")
    var limit = 20

    @Option(help: ArgumentHelp("Only entries older than this one.", valueName: "id"))
    var before: Int?

    @Flag(help: "Versions only.")
    var versions = false

    func validate() throws {
        guard (1...1000).contains(limit) else { throw ValidationError("--limit takes a number from 1 to 1000") }
    }

    func run() async throws {
        let deployment = try options.deployment()
        do {
            let page = try await Ledger.reading(deployment.stateDirectory).history(
                HistoryQuery(before: before, limit: limit, includesRejected: !versions))
            options.format == .json ? options.print(HistoryJSON.page(page)) : options.print(HistoryText.text(page))
        } catch {
            throw options.end(error)
        }
    }
}
