import Foundation
import GRDB
import Logging
public import SystemPackage

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A state directory in one file: the database, and the keys that belong to it.
///
/// The file is an SQLite database of its own, 0600, with one table more that holds the other files. It has the signing key in it:
/// keep it as carefully as the state directory.
public enum LedgerBackup {
    /// What is kept besides the database, and how long it may be.
    static let companions: [(name: String, mode: mode_t, limit: Int)] = [
        ("audit.key", 0o600, 4096), ("audit.pub", 0o644, 4096), ("audit.checkpoints", 0o600, 64 * 1_048_576),
        ("fingerprint.key", 0o600, 4096),
    ]
    static let table = "backup_file"
    static let tableWords = "CREATE TABLE backup_file (name TEXT PRIMARY KEY, bytes BLOB NOT NULL)"

    /// Writes the state directory as it is at one moment, also while a daemon writes it.
    /// - Parameter file: Must not exist.
    /// - Throws: ``LedgerError``; then there is no file.
    public static func write(_ directory: FilePath, to file: FilePath) async throws {
        do {
            try await blocking { try copy(Ledger.reading(directory), directory, file) }
        } catch {
            throw LedgerError(error, at: file)
        }
    }

    private static func copy(_ reader: LedgerReader, _ directory: FilePath, _ file: FilePath) throws {
        // Before the database: what is in it then covers every checkpoint that was kept by now.
        let companions = try companions.compactMap { companion in
            try StateFile.read(directory.appending(companion.name), limit: companion.limit).map { (companion.name, Data($0)) }
        }
        // Made exclusively and by its final mode: nobody else may look into it at any time.
        do {
            try FileDescriptor.open(file, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite).close()
        } catch let error as Errno {
            throw error == .fileExists ? LedgerError.exists(file) : LedgerError(errno: error.rawValue, at: file)
        }
        do {
            let queue = try DatabaseQueue(path: file.string)
            try reader.database.backup(to: queue)
            try queue.writeWithoutTransaction { db in
                // One file: no log beside it.
                try db.execute(sql: "PRAGMA journal_mode = DELETE; \(tableWords)")
                for (name, bytes) in companions {
                    try db.execute(sql: "INSERT INTO \(table) VALUES (?, ?)", arguments: [name, bytes])
                }
            }
            try queue.close()
        } catch {
            Restoration.remove(file)
            throw error
        }
    }

    /// What a restored history's audit log is to be.
    public enum Log: Sendable {
        /// The backup's, which goes on under its key.
        case kept
        /// A new one under a new key: the old one stays in the backup. Nothing of the history waits to be confirmed or put back then.
        case new
    }

    /// What a backup holds, before any of it counts.
    public struct Contents: Sendable {
        /// A copy of the database, which nobody else knows of.
        public let database: FilePath
        /// As in `audit.pub`.
        public let publicKey: String
        /// As in `audit.checkpoints`.
        public let checkpoints: String
    }

    /// Makes a state directory from a backup. Numbers go on where the backup ends.
    ///
    /// The copy and where it came from are then two logs under one key, which differ from the entry `restoring` on: end the other one.
    /// - Parameters:
    ///   - directory: Must not hold a database.
    ///   - examine: Looks at the contents, when the log is kept, and throws when they are not to be trusted.
    /// - Throws: ``LedgerError``, or what `examine` throws; then the directory holds no database, and no key that it did not hold.
    public static func restore(
        _ file: FilePath, into directory: FilePath, log: Log = .kept, examine: @Sendable (Contents) async throws -> Void
    ) async throws {
        let restoration = try await blocking { try Restoration(of: file, into: directory, log) }
        do {
            if let contents = restoration.contents { try await examine(contents) }
            try await blocking { try restoration.install() }
        } catch {
            restoration.giveUp()
            throw error
        }
        // Opened once: its audit log says that it was restored.
        let ledger = try await blocking {
            try Ledger(directory: directory, logger: Logger(label: "plue.restore") { _ in SwiftLogNoOpLogHandler() })
        }
        try await ledger.note("restoring")
        try await ledger.close()
    }

    /// Away from the cooperative pool, whose threads nothing may block.
    private static func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let result: Result<Value, any Error> = await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: Result { try body() }) }
        }
        return try result.get()
    }
}
