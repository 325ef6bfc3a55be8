import ArgumentParser
import Foundation
import PlueConfig
import PlueDaemon

/// `plue serve`: the daemon.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the daemon in the foreground; it follows its files, and logs to standard error.",
        discussion:
            "Ends on SIGTERM or SIGINT after draining. SIGHUP reads the files again. An invalid configuration at the start exits with 65.")

    @OptionGroup var options: GlobalOptions

    @Option(name: .customLong("set"), help: ArgumentHelp("Override a setting, above all files.", valueName: "section.key=value"))
    var overrides: [String] = []

    @Flag(help: "When the files are invalid, start with the version that ran last; the first valid save ends that.")
    var lastKnownGood = false

    func run() async throws {
        PrivateMemory.protect()
        // Writing to a client that went away is an error to handle, not a reason to end.
        signal(SIGPIPE, SIG_IGN)
        let deployment = try options.deployment(overrides: overrides)
        do {
            // Copied into the deployment by now, where only the road reads them.
            PrivateMemory.erase(await deployment.consumedVariables())
            let daemon = try await Daemon(deployment, startsFromLastGood: lastKnownGood, log: DaemonLog())
            try await daemon.run(isAttended: isatty(STDOUT_FILENO) == 1) { lines in for line in lines { options.print(line) } }
        } catch {
            throw options.end(error)
        }
    }
}
