import ArgumentParser
import Foundation
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
            options.format == .json ? options.print(HistoryJSON.page(page)) : options.print(text(page))
        } catch {
            throw options.end(error)
        }
    }

    private func text(_ page: HistoryPage) -> String {
        guard !page.entries.isEmpty else { return "no versions yet" }
        var table = TextTable(["ID", "VERSION", "TIME", "OUTCOME", "BY", "WHAT"])
        for entry in page.entries {
            let attempt = entry.attempt
            let what =
                entry.version.map { version in
                    let keys = version.changedKeys.prefix(4).map(\.description).joined(separator: " ")
                    return (attempt.cause.reason.isEmpty ? "" : attempt.cause.reason + ": ") + keys
                        + (version.changedKeys.count > 4 ? " …" : "")
                } ?? attempt.problem ?? ""
            table.add([
                String(attempt.id), entry.version.map { "v\($0.number)" } ?? "-", attempt.at.formatted(.iso8601),
                attempt.outcome?.rawValue ?? "under way", "\(attempt.cause.trigger.rawValue) \(attempt.cause.actor)", what,
            ])
        }
        return table.text + (page.next.map { "\nmore: --before \($0)" } ?? "")
    }
}
