import ArgumentParser
import Foundation
import PlueAudit
import PlueConfig
import PlueDaemon
import PlueLedger
import SystemPackage

/// `plue backup`: the state directory in one file.
struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Write the state database, as it is at one moment, and the keys of its audit log into a file; also while the daemon runs.",
        discussion: """
            Keep the file as carefully as the state directory: the key that signs the audit log is in it. The keyring is not: what can \
            open the secrets of every version is kept apart from them. Without a copy of the keyring, encrypted values are lost.
            """)

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
        discussion: """
            The backup is verified first, as 'plue audit verify' does, and refused when it is not what was written. The configuration \
            directory is left alone: 'plue rollback' brings a version's documents back. The copy signs with the key of the original: do \
            not run both. Whoever has looked at the original's log has to say 'plue audit verify --forget' once.
            """)

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The file that 'plue backup' wrote.")
    var file: String

    @Flag(help: "Keep the history, but begin a new audit log under a new key; the old one stays in the backup, which is not verified.")
    var newAuditLog = false

    func run() async throws {
        let deployment = try options.deployment()
        do {
            try await LedgerBackup.restore(FilePath(file), into: deployment.stateDirectory, log: newAuditLog ? .new : .kept) { contents in
                try await Self.examine(contents, of: file)
            }
            options.format == .json
                ? options.print(["directory": .string(deployment.stateDirectory.string)])
                : options.print("restored into \(deployment.stateDirectory)")
        } catch LedgerError.notALedger(let path) where path == FilePath(file) {
            options.complain("\(file) is not a backup that 'plue backup' wrote")
            throw ExitCode.failure
        } catch {
            throw options.end(error)
        }
    }

    private static func examine(_ contents: LedgerBackup.Contents, of file: String) async throws {
        guard let key = VerifierKey(contents.publicKey) else {
            throw UntrustedBackup(file: file, finding: "it holds no public key")
        }
        let copies = Checkpoint.all(in: contents.checkpoints)
        let verifier = AuditVerifier(
            key: key, witnesses: copies.map { .init($0, in: "the backup's audit.checkpoints", mayBeForeign: true) })
        let report = await withCheckedContinuation { done in
            Thread { done.resume(returning: verifier.verify(database: contents.database.string)) }.start()
        }
        guard report.verdict == .intact else { throw UntrustedBackup(file: file, finding: "\(report.verdict): \(report.finding)") }
    }
}

/// A backup whose history is not what was written.
struct UntrustedBackup: Error, CustomStringConvertible {
    let file: String
    let finding: String

    var description: String {
        "\(file) cannot be trusted (\(finding)); take another backup, or restore its history without the log: --new-audit-log"
    }
}
