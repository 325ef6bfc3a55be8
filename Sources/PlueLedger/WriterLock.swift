import Foundation
import Synchronization
import SystemPackage

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Holding one is the right to write into a state directory; at most one is held at a time, over all processes.
///
/// It is a `flock` on `plue.lock`, which the kernel takes back however the process ends, so it is never stale. The file
/// stays behind (removing it would let two writers lock two files of one name); the pid in it is only for the error message.
final class WriterLock: Sendable {
    private let descriptor: Mutex<CInt?>

    /// How long somebody else's lock is waited for.
    private static let patience: Duration = .seconds(2)

    init(at path: FilePath, in directory: FilePath) throws(LedgerError) {
        // CLOEXEC: a daemon started by a service must not inherit the right to write.
        let descriptor = open(path.string, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw LedgerError(errno: errno, at: path) }
        let deadline = ContinuousClock.now + Self.patience
        var isHeld = flock(descriptor, LOCK_EX | LOCK_NB) == 0
        // Another command is done in a moment; and a child that this process forked holds what was released here until it
        // becomes another program.
        while !isHeld, errno == EWOULDBLOCK, ContinuousClock.now < deadline {
            usleep(20_000)
            isHeld = flock(descriptor, LOCK_EX | LOCK_NB) == 0
        }
        guard isHeld else {
            let code = errno
            let pid = Self.pid(in: descriptor)
            close(descriptor)
            throw code == EWOULDBLOCK ? .inUse(directory: directory, pid: pid) : LedgerError(errno: code, at: path)
        }
        fchmod(descriptor, 0o600)  // whatever the umask took away
        // Without the pid (a full disk) the lock holds just as well.
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(descriptor, 0)
        _ = pwrite(descriptor, text, text.count, 0)
        self.descriptor = Mutex(descriptor)
    }

    func release() {
        descriptor.withLock { descriptor in
            if let open = descriptor { close(open) }
            descriptor = nil
        }
    }

    deinit { release() }

    private static func pid(in descriptor: CInt) -> Int32? {
        var text = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &text, text.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: text[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }
}
