import ArgumentParser

@main
struct PlueBench: AsyncParsableCommand {
    enum Part: String, CaseIterable, ExpressibleByArgument {
        case reads, parse, check, saves, history, secrets, services, api, idle
    }

    static let configuration = CommandConfiguration(
        commandName: "plue-bench", abstract: "Plue's figures beside those of its peers, measured in one run.")

    @Argument(help: "What to measure; everything unless given.")
    var parts: [Part] = []

    @Option(help: "The built plue, for what an idle daemon costs.")
    var plue = ".build-release/release/plue"

    @Option(help: "How long the history is made for its figures.")
    var versions = 100_000

    func run() async throws {
        for part in parts.isEmpty ? Part.allCases : parts {
            switch part {
            case .reads: try await benchmarkReads()
            case .parse: try await benchmarkParsing()
            case .check: try await benchmarkChecks()
            case .saves: try await benchmarkSaves()
            case .history: try await benchmarkHistory(versions: versions)
            case .secrets: try benchmarkSecrets()
            case .services: try await benchmarkServices()
            case .api: try await benchmarkAPI(plue: plue)
            case .idle: try await benchmarkIdle(plue: plue)
            }
        }
    }
}
