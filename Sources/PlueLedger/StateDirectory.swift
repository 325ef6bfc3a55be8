import Foundation
import SystemPackage

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The directory a ledger lives in, after its owner and modes were found to be right.
///
/// Files that exist are examined by name, never opened and closed: POSIX drops all of a process's record locks on a file
/// when it closes any descriptor of it, SQLite's included. The names cannot be exchanged under us, since the directory is
/// ours and nobody else may write in it.
struct StateDirectory: Sendable {
    let path: FilePath
    var database: FilePath { path.appending("plue.db") }
    var lock: FilePath { path.appending("plue.lock") }
    /// Where the newest commits are until they are moved into the database.
    var log: FilePath { path.appending("plue.db-wal") }
    var sidecars: [FilePath] { [log, path.appending("plue.db-shm")] }

    /// For a writer: makes the directory (0700) when it is not there, and checks it when it is.
    static func prepared(at path: FilePath) throws(LedgerError) -> StateDirectory {
        try make(path)
        let directory = StateDirectory(path: try resolve(path))
        try directory.check(trusting: [geteuid()])
        return directory
    }

    /// For a reader: checks, creates nothing. Root's files are trusted by all, and root reads everybody's.
    static func existing(at path: FilePath) throws(LedgerError) -> StateDirectory {
        guard status(of: path) != nil else {
            throw errno == ENOENT ? .missing(path.appending("plue.db")) : LedgerError(errno: errno, at: path)
        }
        let directory = StateDirectory(path: try resolve(path))
        try directory.check(trusting: geteuid() == 0 ? nil : [geteuid(), 0])
        guard let database = status(of: directory.database) else {
            throw errno == ENOENT ? .missing(directory.database) : LedgerError(errno: errno, at: directory.database)
        }
        guard database.st_size > 0 else { throw .missing(directory.database) }
        try directory.checkFiles(trusting: geteuid() == 0 ? nil : [geteuid(), 0])
        return directory
    }

    /// Makes an empty database file (0600) when there is none, and checks the files when there are.
    ///
    /// SQLite gives `-wal` and `-shm` the mode of the database, so they are 0600 from their first byte.
    func prepareDatabase() throws(LedgerError) {
        let descriptor = open(database.string, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            fchmod(descriptor, 0o600)  // whatever the umask took away
            close(descriptor)
            try syncNames(in: path)
            return
        }
        guard errno == EEXIST else { throw LedgerError(errno: errno, at: database) }
        try checkFiles(trusting: [geteuid()])
        for file in [database] + sidecars {
            // A copy put back with `cp` may be readable by all; documents can hold what is not for all.
            if let found = status(of: file), UInt32(found.st_mode) & 0o077 != 0 { chmod(file.string, 0o600) }
        }
    }

    private func check(trusting owners: Set<uid_t>?) throws(LedgerError) {
        guard let found = status(of: path) else { throw LedgerError(errno: errno, at: path) }
        guard UInt32(found.st_mode) & UInt32(S_IFMT) == UInt32(S_IFDIR) else { throw .notAFile(path) }
        try Self.check(found, at: path, trusting: owners)
    }

    private func checkFiles(trusting owners: Set<uid_t>?) throws(LedgerError) {
        for file in [database] + sidecars {
            guard let found = status(of: file) else { continue }
            guard UInt32(found.st_mode) & UInt32(S_IFMT) == UInt32(S_IFREG) else { throw .notAFile(file) }
            try Self.check(found, at: file, trusting: owners)
        }
    }

    private static func check(_ found: stat, at path: FilePath, trusting owners: Set<uid_t>?) throws(LedgerError) {
        if let owners, !owners.contains(found.st_uid) { throw .foreignOwner(path, uid: found.st_uid) }
        guard UInt32(found.st_mode) & 0o022 == 0 else {
            throw .writableByOthers(path, mode: UInt32(found.st_mode) & 0o7777)
        }
    }

    private static func make(_ path: FilePath) throws(LedgerError) {
        let parent = path.removingLastComponent()
        if !parent.isEmpty, parent != path, status(of: parent) == nil { try make(parent) }
        if mkdir(path.string, 0o700) == 0 {
            chmod(path.string, 0o700)  // whatever the umask took away
            try syncNames(in: parent)
        } else if errno != EEXIST {
            throw LedgerError(errno: errno, at: path)
        }
    }

    /// The directory itself may be reached through a link (systemd's DynamicUser makes one); what counts is where it leads.
    /// An absolute path also keeps SQLite from taking a name for a URI.
    private static func resolve(_ path: FilePath) throws(LedgerError) -> FilePath {
        guard let resolved = realpath(path.string, nil) else { throw LedgerError(errno: errno, at: path) }
        defer { free(resolved) }
        return FilePath(String(cString: resolved))
    }
}

/// `nil` when there is nothing of that name; a link is not followed.
func status(of path: FilePath) -> stat? {
    var found = stat()
    return lstat(path.string, &found) == 0 ? found : nil
}

/// Makes names created in a directory durable.
func syncNames(in directory: FilePath) throws(LedgerError) {
    let path = directory.isEmpty ? "." : directory.string
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw LedgerError(errno: errno, at: directory) }
    defer { close(descriptor) }
    // Some file systems cannot sync a directory and say EINVAL; there is nothing better to do there.
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw LedgerError(errno: errno, at: directory) }
}
