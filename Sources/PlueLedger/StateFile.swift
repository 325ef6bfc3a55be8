import Foundation
import SystemPackage

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A small file beside the database: never followed elsewhere, never waited for, and written whole or not at all.
///
/// What stands under its name may be anything that somebody put there: a link, a pipe that nobody reads.
enum StateFile {
    /// Its bytes; `nil` when there is none.
    /// - Throws: `notAFile` for what is no regular file; `corrupt` for what is longer than the limit.
    static func read(_ path: FilePath, limit: Int) throws(LedgerError) -> [UInt8]? {
        guard let (descriptor, size) = try opened(path) else { return nil }
        defer { close(descriptor) }
        guard size <= limit else { throw .corrupt(path, reason: "it is larger than \(limit) bytes") }
        return try bytes(of: descriptor, path, from: 0, count: size)
    }

    /// Its last bytes, at most so many; `nil` when there is none.
    static func readEnd(of path: FilePath, atMost limit: Int) throws(LedgerError) -> [UInt8]? {
        guard let (descriptor, size) = try opened(path) else { return nil }
        defer { close(descriptor) }
        return try bytes(of: descriptor, path, from: max(0, size - limit), count: min(size, limit))
    }

    /// Puts a file with these bytes in the place of what is there, durably.
    static func write(_ bytes: [UInt8], to path: FilePath, mode: mode_t) throws(LedgerError) {
        let temporary = FilePath(path.string + ".new")
        unlink(temporary.string)
        let descriptor = open(temporary.string, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw LedgerError(errno: errno, at: path) }
        do throws(LedgerError) {
            defer { close(descriptor) }
            // Whatever the umask took away.
            guard fchmod(descriptor, mode) == 0 else { throw LedgerError(errno: errno, at: path) }
            try put(bytes, to: descriptor, path)
        } catch {
            unlink(temporary.string)
            throw error
        }
        guard rename(temporary.string, path.string) == 0 else {
            let code = errno
            unlink(temporary.string)
            throw LedgerError(errno: code, at: path)
        }
        try syncNames(in: path.removingLastComponent())
    }

    /// Appends to a file, which is made (0600) when there is none; durable when it returns.
    static func append(_ bytes: [UInt8], to path: FilePath) throws(LedgerError) {
        let descriptor = open(path.string, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0o600)
        // A pipe without a reader has its own word for it.
        guard descriptor >= 0 else { throw errno == ENXIO ? .notAFile(path) : LedgerError(errno: errno, at: path) }
        defer { close(descriptor) }
        _ = try size(of: descriptor, path)
        try put(bytes, to: descriptor, path)
    }

    private static func opened(_ path: FilePath) throws(LedgerError) -> (CInt, Int)? {
        let descriptor = open(path.string, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw LedgerError(errno: errno, at: path)
        }
        do throws(LedgerError) {
            return (descriptor, try size(of: descriptor, path))
        } catch {
            close(descriptor)
            throw error
        }
    }

    private static func size(of descriptor: CInt, _ path: FilePath) throws(LedgerError) -> Int {
        var found = stat()
        guard fstat(descriptor, &found) == 0 else { throw LedgerError(errno: errno, at: path) }
        guard UInt32(found.st_mode) & UInt32(S_IFMT) == UInt32(S_IFREG) else { throw .notAFile(path) }
        return Int(found.st_size)
    }

    private static func bytes(of descriptor: CInt, _ path: FilePath, from start: Int, count: Int) throws(LedgerError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var read = 0
        while read < count {
            let got = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress?.advanced(by: read), count - read, off_t(start + read))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw LedgerError(errno: errno, at: path) }
            if got == 0 { break }
            read += got
        }
        return Array(bytes.prefix(read))
    }

    private static func put(_ bytes: [UInt8], to descriptor: CInt, _ path: FilePath) throws(LedgerError) {
        var written = 0
        while written < bytes.count {
            let done = bytes.withUnsafeBytes { writeBytes(descriptor, $0.baseAddress?.advanced(by: written), bytes.count - written) }
            if done < 0, errno == EINTR { continue }
            guard done > 0 else { throw LedgerError(errno: errno, at: path) }
            written += done
        }
        guard fsync(descriptor) == 0 else { throw LedgerError(errno: errno, at: path) }
    }
}

/// The system's `write`, which inside the type above would be the type's own.
private func writeBytes(_ descriptor: CInt, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int { write(descriptor, bytes, count) }
