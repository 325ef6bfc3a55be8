import ArgumentParser
import PlueConfig
import PlueDaemon
import PlueLedger
import SystemPackage

/// `plue backup`: the state directory in one file.
struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the state database, as it is at one moment, and its keys into a file; also while the daemon runs.",
        discussion: "Keep the file as carefully as the state directory: the key that signs the audit log is in it.")

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The file, which must not exist.")
    var file: String

    func run() async throws {
        let deployment = try options.deployment()
        do {
            try await LedgerBackup.write(deployment.stateDirectory, to: FilePath(file))
            options.format == .json ? options.print(["file": .string(file)]) : options.print("written to \(file)")
        } catch {
            throw options.end(error)
        }
    }
}

/// `plue restore`: a backup becomes a state directory.
struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a state directory from a backup; version numbers go on where it ends.",
        discussion: "The configuration directory is left alone: 'plue rollback' brings a version's documents back.")

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The file that 'plue backup' wrote.")
    var file: String

    func run() async throws {
        let deployment = try options.deployment()
        do {
            try await LedgerBackup.restore(FilePath(file), into: deployment.stateDirectory)
            options.format == .json
                ? options.print(["directory": .string(deployment.stateDirectory.string)])
                : options.print("restored into \(deployment.stateDirectory)")
        } catch {
            throw options.end(error)
        }
    }
}
