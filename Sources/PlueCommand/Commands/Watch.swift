import ArgumentParser
import Foundation
import PlueConfig
import PlueDaemon

/// `plue watch`: changes as they are committed, refused and confirmed.
struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print changes as they are committed or refused, until interrupted.")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let deployment = try options.deployment()
        do {
            var isFirst = true
            var reason = ""
            try await options.client(deployment).events { name, event in
                // How things stand is told at first; after that each change of it comes with an event of its own.
                if name == "state", !isFirst { return }
                isFirst = false
                if name == "end" { reason = ": \(event["reason"]?.string ?? "")" }
                if options.format == .json {
                    options.print(StatusJSON.event(name, event).text(indented: false))
                } else if let text = StatusText.event(name, event) {
                    options.print(text)
                }
            }
            options.complain("the daemon has closed the stream\(reason)")
            throw ExitCode.unreachable
        } catch {
            throw options.end(error)
        }
    }
}
