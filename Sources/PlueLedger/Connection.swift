import Foundation
import GRDB
import GRDBSQLite
import PlueConfig
import SystemPackage

/// How a connection to the database is set up: the same for the writer, its readers and a reader from outside.
enum Connection {
    /// "Plue": tells our database from any other.
    static let applicationID = 0x506C_7565
    /// Raised with every migration; a higher one in the file was written by a newer Plue.
    static let format = 4
    /// The first format that has an audit log.
    static let firstAudited = 3

    /// A pool with one writer. Whoever calls it holds the ``WriterLock``.
    static func writer(at path: FilePath, busyTimeout: TimeInterval) throws -> DatabasePool {
        let pool = try DatabasePool(path: path.string, configuration: configuration(at: path, busyTimeout: busyTimeout))
        try pool.writeWithoutTransaction { db in
            // GRDB sets NORMAL when it turns WAL on, which is after `prepareDatabase`. NORMAL may lose the newest commits
            // in a power cut; the commit point must not be among them.
            try db.execute(sql: "PRAGMA synchronous = FULL")
            #if canImport(Darwin)
            // fsync alone does not reach the platter on Darwin.
            try db.execute(sql: "PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON")
            #endif
            // One large candidate must not leave a large log behind for good.
            try db.execute(sql: "PRAGMA journal_size_limit = 8388608")
        }
        return pool
    }

    /// One connection that cannot write and creates nothing.
    /// - Parameter isImmutable: Without a log file the database is all there is, and no writer has it open: SQLite then needs none.
    static func reader(at path: FilePath, isImmutable: Bool = false, busyTimeout: TimeInterval) throws -> DatabaseQueue {
        var configuration = configuration(at: path, busyTimeout: busyTimeout)
        configuration.readonly = true
        return try DatabaseQueue(path: isImmutable ? "file:\(escaped(path))?immutable=1" : path.string, configuration: configuration)
    }

    /// A path inside a URI.
    private static func escaped(_ path: FilePath) -> String {
        path.string.addingPercentEncoding(withAllowedCharacters: CharacterSet.urlPathAllowed.subtracting([";", "?", "#", "%"]))
            ?? path.string
    }

    /// The format of a database that has the tables, indexes and so on that it should have, and nothing else; 0 of an empty one.
    /// - Throws: `tampered`.
    static func checkSchema(of db: Database, at path: FilePath) throws -> Int {
        let schema = try LedgerSchema(of: db)
        let format = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        if schema.parts.isEmpty { return 0 }
        if format == 0, let first = try LedgerSchema.of(format: 1), schema == first.only("grdb_migrations") { return 0 }
        guard let expected = try LedgerSchema.of(format: format) else { throw LedgerError.notALedger(path) }
        if let odd = schema.difference(from: expected) {
            throw LedgerError.tampered(path, reason: "\(VisibleText.of(odd)) is missing, or is not what a Plue makes")
        }
        return format
    }

    private static func configuration(at path: FilePath, busyTimeout: TimeInterval) -> Configuration {
        var configuration = Configuration()
        configuration.label = "plue.ledger"
        configuration.busyMode = .timeout(busyTimeout)
        configuration.foreignKeysEnabled = true
        configuration.prepareDatabase { db in
            try db.execute(
                sql: "PRAGMA trusted_schema = OFF; PRAGMA recursive_triggers = ON; PRAGMA secure_delete = ON")
            // Before GRDB turns WAL on: a file that is not ours is left exactly as it is.
            try identify(db, at: path)
        }
        return configuration
    }

    /// Throws unless the database is empty or a ledger this Plue knows.
    private static func identify(_ db: Database, at path: FilePath) throws {
        let format = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let application = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        // GRDB makes its list of migrations before the first of them: a process that is killed in between leaves it.
        let objects =
            try Int.fetchOne(
                db, sql: "SELECT count(*) FROM sqlite_master WHERE name NOT IN ('grdb_migrations', 'sqlite_autoindex_grdb_migrations_1')")
            ?? 0
        if objects == 0, db.configuration.readonly { throw LedgerError.missing(path) }
        guard application == applicationID || objects == 0 else { throw LedgerError.notALedger(path) }
        if !db.configuration.readonly { try keepLogFiles(db) }
        guard format <= Self.format else { throw LedgerError.newer(path, format: format, known: Self.format) }
    }

    /// SQLite normally removes `-wal` and `-shm` when the last connection closes, and a reader would have to make them
    /// again. Kept, they let a read-only process in at any time without creating anything.
    private static func keepLogFiles(_ db: Database) throws {
        var on: CInt = 1
        let code = sqlite3_file_control(db.sqliteConnection, nil, SQLITE_FCNTL_PERSIST_WAL, &on)
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }
}
