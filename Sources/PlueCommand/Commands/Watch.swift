import ArgumentParser
import Foundation
import PlueConfig
import PlueDaemon

/// `plue watch`: changes as they are committed.
struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print changes as they are committed, until interrupted.")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let deployment = try options.deployment()
        do {
            try await DaemonClient(socket: deployment.socket).events { event in
                options.format == .json ? options.print(event.text(indented: false)) : options.print(StatusText.event(event))
            }
            options.complain("the daemon has closed the stream")
            throw ExitCode.unreachable
        } catch {
            throw options.end(error)
        }
    }
}
