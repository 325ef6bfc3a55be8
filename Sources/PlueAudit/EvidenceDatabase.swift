import GRDBSQLite

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A database as evidence: opened to be read and nothing else, over SQLite's own interface.
///
/// Nothing here is shared with what writes it. A column is taken as the bytes it has, whatever its type claims.
final class EvidenceDatabase {
    typealias Unreadable = AuditReader.Unreadable

    private let handle: OpaquePointer

    init(path: String) throws(Unreadable) {
        var opened: OpaquePointer?
        // Without its log file a database is all there is, and SQLite would have to make one to read it.
        let hasLog = access(path + "-wal", F_OK) == 0
        let code = sqlite3_open_v2(
            "file:\(Self.escaped(path))\(hasLog ? "" : "?immutable=1")", &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nil)
        guard code == SQLITE_OK, let opened else {
            let problem = String(cString: sqlite3_errstr(code))
            sqlite3_close_v2(opened)
            throw Unreadable(problem: problem)
        }
        handle = opened
        sqlite3_busy_timeout(handle, 5_000)
        // A schema somebody else wrote must not run functions while it is looked at.
        sqlite3_exec(handle, "PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA cell_size_check = ON; BEGIN", nil, nil, nil)
    }

    deinit { sqlite3_close_v2(handle) }

    /// A path inside a URI: everything but letters, digits and what paths are made of is escaped.
    private static func escaped(_ path: String) -> String {
        path.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                String(Unicode.Scalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }.joined()
    }

    /// One row while the query stands at it.
    struct Row {
        fileprivate let statement: OpaquePointer

        func integer(_ column: Int32) -> Int64? {
            sqlite3_column_type(statement, column) == SQLITE_INTEGER ? sqlite3_column_int64(statement, column) : nil
        }

        func double(_ column: Int32) -> Double? {
            switch sqlite3_column_type(statement, column) {
            // What SQLite keeps as a whole number, because the column is REAL and it fits, is a double all the same.
            case SQLITE_FLOAT, SQLITE_INTEGER: sqlite3_column_double(statement, column)
            default: nil
            }
        }

        /// The bytes of a text or a blob; `nil` for anything else.
        func bytes(_ column: Int32) -> [UInt8]? {
            let type = sqlite3_column_type(statement, column)
            guard type == SQLITE_TEXT || type == SQLITE_BLOB else { return nil }
            let count = Int(sqlite3_column_bytes(statement, column))
            guard count > 0, let pointer = sqlite3_column_blob(statement, column) else { return [] }
            return Array(UnsafeRawBufferPointer(start: pointer, count: count))
        }

        func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }
    }

    /// Hands over every row until told to stop.
    func query(_ sql: String, _ take: (Row) throws -> Bool) throws {
        var prepared: OpaquePointer?
        guard sqlite3_prepare_v2(handle, sql, -1, &prepared, nil) == SQLITE_OK, let prepared else { throw unreadable }
        defer { sqlite3_finalize(prepared) }
        while true {
            switch sqlite3_step(prepared) {
            case SQLITE_ROW: if try !take(Row(statement: prepared)) { return }
            case SQLITE_DONE: return
            default: throw unreadable
            }
        }
    }

    /// The first column of the first row.
    func number(_ sql: String) throws -> Int64? {
        var number: Int64?
        try query(sql) { row in
            number = row.integer(0)
            return false
        }
        return number
    }

    private var unreadable: Unreadable { Unreadable(problem: String(cString: sqlite3_errmsg(handle))) }
}
