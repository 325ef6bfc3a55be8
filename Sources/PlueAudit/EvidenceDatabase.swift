import GRDBSQLite
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A database as evidence: opened to be read and nothing else, over SQLite's own interface, and seen as it is at one moment.
///
/// Nothing here is shared with what writes it. Whoever made the file may have made it to do harm: what it can hold, and how long SQLite
/// may work on it, is bounded.
final class EvidenceDatabase {
    typealias Unreadable = AuditReader.Unreadable

    private let handle: OpaquePointer
    private let allowance: Allowance
    let path: String

    /// How much longer SQLite may work, in thousands of its machine's steps; it can be withdrawn from any thread.
    final class Allowance: Sendable {
        private let left = Atomic<Int64>(1_000_000)
        private let isWithdrawn = Atomic<Bool>(false)

        func withdraw() { isWithdrawn.store(true, ordering: .relaxed) }

        fileprivate func add(_ amount: Int64) { left.add(amount, ordering: .relaxed) }
        fileprivate var isSpent: Bool { left.load(ordering: .relaxed) < 0 }

        /// Whether SQLite may take another thousand steps.
        fileprivate func spend() -> Bool {
            left.subtract(1, ordering: .relaxed).newValue >= 0 && !isWithdrawn.load(ordering: .relaxed)
        }
    }

    /// No text or blob is longer.
    static let longestValue: Int32 = 64 * 1_048_576

    init(path: String, allowance: Allowance = Allowance()) throws(Unreadable) {
        self.path = path
        self.allowance = allowance
        // SQLite would play it back, which changes the database; and a Plue never makes one.
        guard access(path + "-journal", F_OK) != 0 else { throw Unreadable(problem: "a rollback journal that no Plue makes is beside it") }
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(
            "file:\(Self.escaped(path))\(Self.hasLog(path) ? "" : "?immutable=1")", &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nil)
        guard code == SQLITE_OK, let opened else {
            let problem = String(cString: sqlite3_errstr(code))
            sqlite3_close_v2(opened)
            throw Unreadable(problem: problem)
        }
        handle = opened
        try prepare()
    }

    deinit { sqlite3_close_v2(handle) }

    /// Without its log file, or with an empty one, a database is all there is, and SQLite would have to make files to read it.
    private static func hasLog(_ path: String) -> Bool {
        var found = stat()
        guard lstat(path + "-wal", &found) == 0 else { return false }
        return found.st_size > 0 || access(path + "-shm", F_OK) == 0
    }

    private func prepare() throws(Unreadable) {
        sqlite3_busy_timeout(handle, 5_000)
        sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, Self.longestValue)
        sqlite3_progress_handler(
            handle, 1_000,
            { allowance in
                guard let allowance else { return 1 }
                return Unmanaged<Allowance>.fromOpaque(allowance).takeUnretainedValue().spend() ? 0 : 1
            }, Unmanaged.passUnretained(allowance).toOpaque())
        guard try writesLog else { throw Unreadable(problem: "it is not kept as a Plue keeps it (its header does not say WAL)") }
        // A schema somebody else wrote must not run functions while it is looked at.
        let set = "PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA cell_size_check = ON; BEGIN"
        guard sqlite3_exec(handle, set, nil, nil, nil) == SQLITE_OK else { throw unreadable }
        var pages: Int64 = 0
        do {
            pages = try number("PRAGMA page_count") ?? 0
        } catch {
            throw error as? Unreadable ?? unreadable
        }
        // A page holds a few hundred rows at most, and a row takes some hundred steps in all the queries and SQLite's own check.
        allowance.add(pages.multipliedReportingOverflow(by: 200).partialValue)
    }

    /// What the file's header says, read through SQLite: another descriptor, when closed, would give up this process's locks on the file.
    private var writesLog: Bool {
        get throws(Unreadable) {
            var pointer: UnsafeMutablePointer<sqlite3_file>?
            guard sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &pointer) == SQLITE_OK, let file = pointer,
                let read = file.pointee.pMethods?.pointee.xRead
            else { throw unreadable }
            var header = [UInt8](repeating: 0, count: 100)
            guard read(file, &header, 100, 0) == SQLITE_OK else { throw Unreadable(problem: "it is shorter than a database") }
            return header[18] == 2 && header[19] == 2
        }
    }

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

    /// One row while the query stands at it. A column is what it was stored as: a text that is stored as a blob is none.
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

        /// The bytes of a text.
        func text(_ column: Int32) -> [UInt8]? { bytes(column, SQLITE_TEXT) }

        func blob(_ column: Int32) -> [UInt8]? { bytes(column, SQLITE_BLOB) }

        func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

        private func bytes(_ column: Int32, _ type: Int32) -> [UInt8]? {
            guard sqlite3_column_type(statement, column) == type else { return nil }
            let count = Int(sqlite3_column_bytes(statement, column))
            guard count > 0, let pointer = sqlite3_column_blob(statement, column) else { return [] }
            return Array(UnsafeRawBufferPointer(start: pointer, count: count))
        }
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

    private var unreadable: Unreadable {
        allowance.isSpent
            ? Unreadable(problem: "it takes longer to read than a database of its size may")
            : Unreadable(problem: String(cString: sqlite3_errmsg(handle)))
    }
}
