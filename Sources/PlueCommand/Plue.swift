import ArgumentParser

/// The command line. Each command is a file in Commands/; what they share in writing is in Output/.
@main
struct Plue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plue",
        abstract: "Change a running server's configuration the way you commit to a database: checked, atomic, recorded, reversible.",
        discussion: """
            Exit codes: 0 done, 1 failed, 64 usage, 65 configuration invalid, 69 daemon or store not reachable, \
            75 conflict, 77 not permitted.
            """,
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(name: "Running it:", subcommands: [Serve.self, StatusCommand.self, Reload.self, Watch.self]),
            CommandGroup(
                name: "Changing a configuration:",
                subcommands: [PlanCommand.self, Apply.self, Confirm.self, Rollback.self, Proposals.self, Approve.self]),
            CommandGroup(
                name: "Looking at a configuration:",
                subcommands: [Check.self, Show.self, Explain.self, DiffCommand.self, History.self, ParseCommand.self]),
            CommandGroup(name: "Keeping account:", subcommands: [Audit.self, SecretCommand.self, Backup.self, Restore.self]),
            CommandGroup(name: "Letting others in:", subcommands: [TokenCommand.self, Console.self]),
            CommandGroup(name: "Starting one:", subcommands: [Initialize.self, SchemaCommand.self]),
        ])

    static func main() async { await main(GlobalOptions.behindCommand(Array(CommandLine.arguments.dropFirst()))) }
}
