import Foundation
import GRDB
import Logging
public import SystemPackage

/// A state directory in one file: the database, and the keys that belong to it.
///
/// The file is an SQLite database of its own, 0600, with one table more that holds the other files. It has the signing key in it:
/// keep it as carefully as the state directory.
public enum LedgerBackup {
    /// What is kept besides the database.
    private static let companions = ["audit.key", "audit.pub", "audit.checkpoints", "fingerprint.key"]

    /// Writes the state directory as it is at one moment, also while a daemon writes it.
    /// - Parameter file: Must not exist.
    /// - Throws: ``LedgerError``; then there is no file.
    public static func write(_ directory: FilePath, to file: FilePath) async throws {
        let reader = try Ledger.reading(directory)
        let result: Result<Void, any Error> = await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: Result { try copy(reader, directory, file) }) }
        }
        do { try result.get() } catch { throw LedgerError(error, at: file) }
    }

    private static func copy(_ reader: LedgerReader, _ directory: FilePath, _ file: FilePath) throws {
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
                try db.execute(sql: "PRAGMA journal_mode = DELETE; CREATE TABLE backup_file (name TEXT PRIMARY KEY, bytes BLOB NOT NULL)")
                for name in companions {
                    guard let bytes = FileManager.default.contents(atPath: directory.appending(name).string) else { continue }
                    try db.execute(sql: "INSERT INTO backup_file VALUES (?, ?)", arguments: [name, bytes])
                }
            }
            try queue.close()
        } catch {
            for suffix in ["", "-wal", "-shm", "-journal"] { unlink(file.string + suffix) }
            throw error
        }
    }

    /// Makes a state directory from a backup. Numbers go on where the backup ends.
    /// - Parameter directory: Must not hold a database.
    /// - Throws: ``LedgerError``; then the directory is as it was.
    public static func restore(_ file: FilePath, into directory: FilePath) async throws {
        try unpack(file, into: directory)
        // Opened once: it can be read from then on, and its audit log says that it was restored.
        let ledger = try Ledger(directory: directory, logger: Logger(label: "plue.restore") { _ in SwiftLogNoOpLogHandler() })
        try await ledger.note("restoring")
        try await ledger.close()
    }

    private static func unpack(_ file: FilePath, into directory: FilePath) throws {
        let state = try StateDirectory.prepared(at: directory)
        let lock = try WriterLock(at: state.lock, in: state.path)
        defer { lock.release() }
        guard status(of: state.database) == nil else { throw LedgerError.occupied(state.path) }
        let temporary = state.path.appending("plue.db.restoring")
        unlink(temporary.string)
        defer { unlink(temporary.string) }
        do {
            let companions = try unpack(file, to: temporary)
            for (name, bytes) in companions {
                let path = state.path.appending(name)
                let permissions: FilePermissions = name == "audit.pub" ? [.ownerReadWrite, .groupRead, .otherRead] : .ownerReadWrite
                let target = try FileDescriptor.open(path, .writeOnly, options: [.create, .truncate], permissions: permissions)
                _ = try target.closeAfter { try target.writeAll(bytes) }
            }
            // Last: a directory with a database has everything.
            guard rename(temporary.string, state.database.string) == 0 else { throw LedgerError(errno: errno, at: state.database) }
        } catch let error as Errno {
            throw LedgerError(errno: error.rawValue, at: state.path)
        } catch {
            throw LedgerError(error, at: file)
        }
    }

    /// Copies the database out of a backup, whole or not at all.
    private static func unpack(_ file: FilePath, to temporary: FilePath) throws -> [(String, [UInt8])] {
        guard status(of: file) != nil else { throw LedgerError.missing(file) }
        try FileDescriptor.open(temporary, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite).close()
        var configuration = Configuration()
        configuration.readonly = true
        let source = try DatabaseQueue(path: file.string, configuration: configuration)
        let target = try DatabaseQueue(path: temporary.string)
        try source.backup(to: target)
        try source.close()
        let companions = try target.writeWithoutTransaction { db -> [(String, [UInt8])] in
            guard try Int.fetchOne(db, sql: "PRAGMA application_id") == Connection.applicationID,
                try String.fetchOne(db, sql: "PRAGMA quick_check(1)") == "ok", try db.tableExists("backup_file")
            else { throw LedgerError.notALedger(file) }
            let format = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard format <= Connection.format else { throw LedgerError.newer(file, format: format, known: Connection.format) }
            let rows = try Row.fetchAll(db, sql: "SELECT name, bytes FROM backup_file")
            let found = try rows.map { (try $0.value("name") as String, Array(try $0.value("bytes") as Data)) }
            try db.execute(sql: "DROP TABLE backup_file")
            return found.filter { Self.companions.contains($0.0) }
        }
        try target.close()
        return companions
    }
}
