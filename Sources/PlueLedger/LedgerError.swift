import Foundation
import GRDB
public import PlueConfig
public import SystemPackage

/// What can go wrong with the ledger. Every case has its own way out, and ``description`` names it.
///
/// No case holds a document, a value or an SQL argument.
public enum LedgerError: Error, Hashable, Sendable {
    // when opening

    /// Another process writes into this state directory; its pid, when it could be read.
    case inUse(directory: FilePath, pid: Int32?)
    /// Nothing is recorded here: there is no database (only when reading; a writer makes one).
    case missing(FilePath)
    /// The database was put here by hand, its log file included, so that it cannot be read without creating another file.
    case unprepared(FilePath)
    /// The directory or a file in it belongs to another user.
    case foreignOwner(FilePath, uid: UInt32)
    /// Group or others may write into the directory or a file in it.
    case writableByOthers(FilePath, mode: UInt32)
    /// Something else is where a directory or a regular file should be: a symbolic link, a socket.
    case notAFile(FilePath)
    /// The file is not an SQLite database, or another application's.
    case notALedger(FilePath)
    /// A newer Plue wrote the database.
    case newer(FilePath, format: Int, known: Int)

    /// The database is not what was written and signed: somebody else has worked on it. Nothing is written on top of that.
    case tampered(FilePath, reason: String)
    /// The key that the audit log is signed with is missing, or is not that key.
    case auditKey(FilePath, reason: String)
    /// A backup without the key that its audit log is signed with.
    case withoutAuditKey(FilePath)
    /// There is a database already where a backup is to be restored.
    case occupied(FilePath)
    /// The file that a backup is to be written to exists.
    case exists(FilePath)

    // at any time

    /// The database contradicts itself, or a document is not what its digest says.
    case corrupt(FilePath, reason: String)
    /// No space, or no quota, left. What was being written is not recorded; what was recorded before is.
    case diskFull(FilePath)
    /// The file system, or the file, cannot be written.
    case readOnly(FilePath)
    /// Another process held the database for longer than the busy timeout.
    case locked(FilePath)
    /// The system refuses this user the file.
    case notPermitted(FilePath)
    /// The disk, or the system, failed.
    case inputOutput(FilePath, reason: String)

    // when called out of turn

    /// A conclusion names an attempt that was never intended, or has its outcome already.
    case notUnderWay(Int)
    /// The ledger was closed.
    case closed
}

extension LedgerError: TellableError {
    /// One sentence that says what is wrong, and one that says the way out.
    public var description: String {
        switch self {
        case .inUse(let directory, let pid):
            let who = pid.map { " (pid \($0))" } ?? ""
            return "another plue is using this state directory: \(directory)\(who); try again when it is done, or stop it"
        case .exists(let path):
            return "\(path) exists already; name another file, or move that one away"
        case .occupied(let directory):
            return "\(directory) holds a history already; restore into another with --state-dir, or move that one away"
        case .missing(let path):
            return "nothing is recorded here: \(path) does not exist; 'plue serve' or 'plue apply' makes it"
        case .unprepared(let path):
            return "\(path) cannot be read without creating files beside it; start 'plue serve' once, or open it for writing"
        case .foreignOwner(let path, let uid):
            return "\(path) belongs to uid \(uid), not to this user; run plue as that user, or chown it"
        case .writableByOthers(let path, let mode):
            return "\(path) can be written by group or others (mode \(String(mode, radix: 8))); chmod go-w it once you know who wrote"
        case .notAFile(let path):
            return "\(path) is not what it should be (a symbolic link, or a special file); move it away"
        case .notALedger(let path):
            return "\(path) is not a Plue database; move it away, or restore a backup with 'plue restore'"
        case .newer(let path, let format, let known):
            return "\(path) was written by a newer Plue (format \(format), this one knows \(known)); "
                + "use that Plue, or restore a backup with 'plue restore'"
        case .corrupt(let path, let reason):
            return "\(path) is damaged (\(reason)); restore a backup with 'plue restore'"
        case .tampered(let path, let reason):
            return "\(path) is not what was written and signed (\(reason)); nothing is written to it any more: "
                + "look with 'plue audit verify', then restore a backup with 'plue restore'"
        case .auditKey(let path, let reason):
            return "\(path) \(reason), and the audit log is signed with it; put it back from a backup, or begin a new log "
                + "in another state directory: 'plue backup FILE', then 'plue restore FILE --new-audit-log --state-dir DIR'"
        case .withoutAuditKey(let path):
            return "\(path) does not hold the key that its audit log is signed with; "
                + "'plue restore --new-audit-log' keeps the history and begins a new log"
        case .diskFull(let path):
            return "no space left for \(path); free some and try again, nothing recorded before is lost"
        case .readOnly(let path):
            return "\(path) cannot be written (read-only); remount the file system or choose another with --state-dir"
        case .locked(let path):
            return "\(path) is locked by another process; end the program that keeps it open (a backup, an sqlite3 shell) and try again"
        case .notPermitted(let path):
            return "this user may not open \(path); run plue as the user the state directory belongs to"
        case .inputOutput(let path, let reason):
            return "\(path) could not be read or written (\(reason)); check the disk, then try again"
        case .notUnderWay(let id):
            return "attempt \(id) is not under way: it was never intended, or has its outcome already"
        case .closed:
            return "the ledger is closed; open it again"
        }
    }
}

extension LedgerError {
    /// From what GRDB or this module threw while it worked on `path`.
    init(_ error: any Error, at path: FilePath) {
        switch error {
        case let error as LedgerError: self = error
        case let error as DatabaseError: self = Self.sqlite(error, at: path)
        case let code as Errno: self = LedgerError(errno: code.rawValue, at: path)
        // GRDB's own row decoding: a column holds what no Plue writes.
        case is RowDecodingError: self = .corrupt(path, reason: "a row holds what no Plue writes")
        default: self = .inputOutput(path, reason: String(describing: type(of: error)))
        }
    }

    /// From `errno` after a system call on `path`.
    init(errno code: CInt, at path: FilePath) {
        switch Errno(rawValue: code) {
        case .noSpace, .diskQuotaExceeded: self = .diskFull(path)
        case .readOnlyFileSystem: self = .readOnly(path)
        case .permissionDenied, .notPermitted: self = .notPermitted(path)
        case .notDirectory, .tooManySymbolicLinkLevels, .isDirectory: self = .notAFile(path)
        case let errno: self = .inputOutput(path, reason: errno.description)
        }
    }

    private static func sqlite(_ error: DatabaseError, at path: FilePath) -> LedgerError {
        switch error.resultCode {
        case .SQLITE_FULL: return .diskFull(path)
        // The -shm file could not grow: only a full disk does that to a file of 32 KiB.
        case _ where error.extendedResultCode == .SQLITE_IOERR_SHMSIZE: return .diskFull(path)
        case .SQLITE_READONLY: return .readOnly(path)
        case .SQLITE_BUSY, .SQLITE_LOCKED: return .locked(path)
        case .SQLITE_CORRUPT: return .corrupt(path, reason: error.message ?? "malformed")
        case .SQLITE_NOTADB: return .notALedger(path)
        case .SQLITE_PERM, .SQLITE_AUTH: return .notPermitted(path)
        // The only misuse GRDB lets through: a connection after close().
        case .SQLITE_MISUSE: return .closed
        // The constraints say what the code above guarantees; if one fails, somebody else wrote.
        case .SQLITE_CONSTRAINT: return .corrupt(path, reason: "a constraint does not hold")
        // GRDB hides statement arguments; the message alone names no value.
        default: return .inputOutput(path, reason: "SQLite \(error.extendedResultCode.rawValue): \(error.message ?? "unknown")")
        }
    }
}
