import Crypto
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

extension KeyringFile {
    /// Makes the keyring's file, 0600, and its directory, 0700, when that is not there.
    /// - Throws: ``KeyringFileError/exists(_:)`` when there is anything already.
    @discardableResult
    public func create(_ keyring: Keyring) throws(KeyringFileError) -> Reading { try write(keyring, over: nil) }

    /// Puts a keyring in the place of the one that it was made from. At every moment the file is wholly the one or the other.
    /// - Throws: ``KeyringFileError/changedMeanwhile(_:)`` when the file is not what was read.
    @discardableResult
    public func replace(_ reading: Reading, with keyring: Keyring) throws(KeyringFileError) -> Reading {
        try write(keyring, over: reading)
    }

    /// How long another writer is waited for.
    private static let patience: Duration = .seconds(2)

    private func write(_ keyring: Keyring, over reading: Reading?) throws(KeyringFileError) -> Reading {
        guard origin != .credential else { throw .readOnlyCredential(path) }
        var bytes = keyring.text
        defer { erase(&bytes) }
        // What could not be read again is not written: it would be the end of every value.
        do throws(InvalidKeyring) {
            guard try Keyring(parsing: bytes, name: path.string) == keyring else { throw InvalidKeyring(problems: []) }
        } catch {
            throw .invalid(path, error)
        }
        // A link is followed: what it leads to is replaced, the link stays.
        let target = Self.resolved(path) ?? path
        let directory = Self.directory(of: target)
        if reading == nil { try make(directory) }
        try checkDirectory(directory)
        try locked(directory) { (descriptor) throws(KeyringFileError) in
            try check(target, against: reading)
            try stage(bytes, as: temporary(for: target))
            guard rename(temporary(for: target).string, target.string) == 0 else {
                let code = errno
                unlink(temporary(for: target).string)
                throw KeyringFileError(errno: code, path)
            }
            // Some file systems cannot sync a directory and say EINVAL; there is nothing better to do there.
            guard fsync(descriptor) == 0 || errno == EINVAL else { throw KeyringFileError(errno: errno, path) }
        }
        return Reading(keyring: keyring, digest: SHA256.hash(data: bytes))
    }

    /// Compares what is there with what the change was made from; under the lock, so that it stays that way.
    private func check(_ target: FilePath, against reading: Reading?) throws(KeyringFileError) {
        guard let reading else {
            var found = stat()
            guard lstat(target.string, &found) != 0 else { throw .exists(path) }
            return
        }
        do throws(KeyringFileError) {
            guard try read().digest == reading.digest else { throw .changedMeanwhile(path) }
        } catch .missing {
            throw .changedMeanwhile(path)
        }
    }

    private func stage(_ bytes: [UInt8], as temporary: FilePath) throws(KeyringFileError) {
        // What a writer that was killed left behind; a living one would have the lock.
        unlink(temporary.string)
        let descriptor = open(temporary.string, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw KeyringFileError(errno: errno, path) }
        defer { close(descriptor) }
        do {
            guard fchmod(descriptor, 0o600) == 0 else { throw Errno(rawValue: errno) }  // whatever the umask took away
            // What root writes into the directory of a service's user stays that user's.
            var directory = stat()
            if isWorkedOnByRoot, stat(Self.directory(of: temporary).string, &directory) == 0, directory.st_uid != 0 {
                guard fchown(descriptor, directory.st_uid, directory.st_gid) == 0 else { throw Errno(rawValue: errno) }
            }
            try FileDescriptor(rawValue: descriptor).writeAll(bytes)
            guard fsync(descriptor) == 0 else { throw Errno(rawValue: errno) }
        } catch {
            unlink(temporary.string)
            throw .system(path, error as? Errno ?? .ioError)
        }
    }

    private func temporary(for target: FilePath) -> FilePath {
        Self.directory(of: target).appending(".\(target.lastComponent?.string ?? "keyring").plue-tmp")
    }

    /// One writer at a time, over all processes. The lock is on the directory, since the file is another one after each change.
    private func locked(
        _ directory: FilePath, _ body: (_ descriptor: CInt) throws(KeyringFileError) -> Void
    ) throws(KeyringFileError) {
        let descriptor = open(directory.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw KeyringFileError(errno: errno, directory) }
        // Closing gives the lock up.
        defer { close(descriptor) }
        let deadline = ContinuousClock.now + Self.patience
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK else { throw KeyringFileError(errno: errno, directory) }
            guard ContinuousClock.now < deadline else { throw .busy(path) }
            usleep(10_000)
        }
        try body(descriptor)
    }

    private func make(_ directory: FilePath) throws(KeyringFileError) {
        guard mkdir(directory.string, 0o700) != 0 else {
            chmod(directory.string, 0o700)  // whatever the umask took away
            return try sync(Self.directory(of: directory))
        }
        switch errno {
        case EEXIST: return
        case ENOENT:
            let parent = Self.directory(of: directory)
            guard parent != directory else { throw .missing(directory) }
            try make(parent)
            try make(directory)
        case let code: throw KeyringFileError(errno: code, directory)
        }
    }

    /// Makes a name that was created in a directory durable.
    private func sync(_ directory: FilePath) throws(KeyringFileError) {
        let descriptor = open(directory.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw KeyringFileError(errno: errno, directory) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw KeyringFileError(errno: errno, directory) }
    }
}
