import Foundation
import GRDB
import SystemPackage

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A backup on its way to be a state directory: unpacked beside its place, looked at, and put there last.
///
/// The file may be anybody's. Nothing in it runs: what it consists of is held against what a backup consists of before the first
/// statement that writes.
final class Restoration: Sendable {
    /// What there is to look at; `nil` for a history that had no audit log, or that begins a new one.
    let contents: LedgerBackup.Contents?

    private let state: StateDirectory
    private let lock: WriterLock
    private let temporary: FilePath
    private let companions: [(name: String, mode: mode_t, bytes: [UInt8])]
    /// Those that are in the way; they are replaced, and not taken away when it comes to nothing.
    private let leftovers: Set<String>

    init(of file: FilePath, into directory: FilePath, _ log: LedgerBackup.Log) throws {
        var found = stat()
        guard stat(file.string, &found) == 0 else {
            throw errno == ENOENT ? LedgerError.missing(file) : LedgerError(errno: errno, at: file)
        }
        guard UInt32(found.st_mode) & UInt32(S_IFMT) == UInt32(S_IFREG) else { throw LedgerError.notAFile(file) }

        state = try StateDirectory.prepared(at: directory)
        lock = try WriterLock(at: state.lock, in: state.path)
        temporary = state.path.appending("plue.db.restoring")
        do {
            guard status(of: state.database) == nil else { throw LedgerError.occupied(state.path) }
            // A key that lies about would sign the new log.
            let hasKey = status(of: state.path.appending("audit.key")) != nil
            guard log == .kept || !hasKey else { throw LedgerError.occupied(state.path) }
            Self.remove(temporary)
            let unpacked = try Self.unpack(file, to: temporary, log)
            companions = LedgerBackup.companions.compactMap { companion in
                unpacked.files[companion.name].map { (companion.name, companion.mode, $0) }
            }
            leftovers = Set(companions.map(\.name).filter { [state] in status(of: state.path.appending($0)) != nil })
            func text(_ name: String) -> String { String(decoding: unpacked.files[name] ?? [], as: UTF8.self) }
            contents =
                unpacked.hasLog
                ? .init(database: temporary, publicKey: text("audit.pub"), checkpoints: text("audit.checkpoints")) : nil
        } catch {
            Self.remove(temporary)
            lock.release()
            throw LedgerError(error, at: file)
        }
    }

    /// Puts everything in its place: the database last, so that a directory with a database has everything.
    func install() throws {
        for (name, mode, bytes) in companions { try StateFile.write(bytes, to: state.path.appending(name), mode: mode) }
        let descriptor = open(temporary.string, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw LedgerError(errno: errno, at: temporary) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0, rename(temporary.string, state.database.string) == 0 else {
            throw LedgerError(errno: errno, at: state.database)
        }
        try syncNames(in: state.path)
        Self.remove(temporary)
        lock.release()
    }

    /// Leaves nothing behind.
    func giveUp() {
        Self.remove(temporary)
        if status(of: state.database) == nil {
            for companion in companions where !leftovers.contains(companion.name) { unlink(state.path.appending(companion.name).string) }
        }
        lock.release()
    }

    /// A database that is not wanted, with what SQLite puts beside it.
    static func remove(_ database: FilePath) {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(database.string + suffix) }
    }

    // MARK: - The file

    private typealias Unpacked = (files: [String: [UInt8]], hasLog: Bool)

    /// Copies the database out of a backup, whole or not at all.
    private static func unpack(_ file: FilePath, to temporary: FilePath, _ log: LedgerBackup.Log) throws -> Unpacked {
        try FileDescriptor.open(temporary, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite).close()
        var configuration = Configuration()
        configuration.readonly = true
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA trusted_schema = OFF") }
        let source = try DatabaseQueue(path: file.string, configuration: configuration)
        configuration.readonly = false
        configuration.foreignKeysEnabled = false
        let target = try DatabaseQueue(path: temporary.string, configuration: configuration)
        // Closed whatever comes, and before the caller removes files: a connection that is merely dropped may outlive them.
        let unpacked = Result {
            try source.backup(to: target)
            return try target.writeWithoutTransaction { db in try unpack(db, of: file, log) }
        }
        try source.close()
        try target.close()
        return try unpacked.get()
    }

    /// Takes the other files out of a copy of a backup, which is a ledger's database from then on.
    private static func unpack(_ db: Database, of file: FilePath, _ log: LedgerBackup.Log) throws -> Unpacked {
        guard try Int.fetchOne(db, sql: "PRAGMA application_id") == Connection.applicationID, try db.tableExists(LedgerBackup.table) else {
            throw LedgerError.notALedger(file)
        }
        let format = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard format <= Connection.format else { throw LedgerError.newer(file, format: format, known: Connection.format) }
        let schema = try LedgerSchema(of: db)
        guard let expected = try LedgerSchema.of(format: format) else { throw LedgerError.notALedger(file) }
        let oddTable = schema.only(LedgerBackup.table).difference(from: try backupTable())
        if let odd = schema.without(LedgerBackup.table).difference(from: expected) ?? oddTable {
            throw LedgerError.tampered(file, reason: "\(odd) is missing, or is not what a backup has")
        }
        guard try String.fetchOne(db, sql: "PRAGMA integrity_check(1)") == "ok" else {
            throw LedgerError.corrupt(file, reason: "SQLite's own check finds it damaged")
        }
        var files: [String: [UInt8]] = [:]
        for companion in LedgerBackup.companions {
            let bytes = try Data.fetchOne(
                db, sql: "SELECT bytes FROM \(LedgerBackup.table) WHERE name = ? AND typeof(bytes) = 'blob' AND length(bytes) <= ?",
                arguments: [companion.name, companion.limit])
            files[companion.name] = bytes.map(Array.init)
        }
        // The signing key was in it.
        try db.execute(sql: "PRAGMA secure_delete = ON; DROP TABLE \(LedgerBackup.table)")
        let hasLog = format >= Connection.firstAudited
        switch log {
        case .kept:
            guard !hasLog || files["audit.key"] != nil else { throw LedgerError.withoutAuditKey(file) }
        case .new:
            if hasLog { try db.execute(sql: "DELETE FROM audit_entry; DELETE FROM audit_tree; DELETE FROM audit_checkpoint") }
            for name in ["audit.key", "audit.pub", "audit.checkpoints"] { files[name] = nil }
        }
        // As it will be kept; verifiers insist on it.
        try db.execute(sql: "PRAGMA journal_mode = WAL")
        return (files, hasLog && log == .kept)
    }

    private static func backupTable() throws -> LedgerSchema {
        try DatabaseQueue().write { db in
            try db.execute(sql: LedgerBackup.tableWords)
            return try LedgerSchema(of: db)
        }
    }
}
