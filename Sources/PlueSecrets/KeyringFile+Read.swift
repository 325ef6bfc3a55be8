import CPlueSystem
import Crypto
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

extension KeyringFile {
    /// A keyring as it was read, for a change to be made from it.
    public struct Reading: Sendable {
        /// What the file holds.
        public let keyring: Keyring
        /// Of the file's bytes.
        let digest: SHA256.Digest
    }

    /// Reads the keyring, if nobody else can have read or written it.
    ///
    /// Links are followed, since that is how Kubernetes mounts a secret; what counts is the file that was opened, which is looked at
    /// through the descriptor that is read, and the directories in which it and the link to it could be replaced.
    public func read() throws(KeyringFileError) -> Reading {
        let descriptor = open(path.string, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { throw KeyringFileError(errno: errno, path) }
        defer { close(descriptor) }
        try checkFile(descriptor)
        for directory in directories { try checkDirectory(directory) }
        var bytes = try contents(descriptor)
        defer { erase(&bytes) }
        do {
            return Reading(keyring: try Keyring(parsing: bytes, name: path.string), digest: SHA256.hash(data: bytes))
        } catch {
            throw .invalid(path, error)
        }
    }

    /// What the group may do with a keyring. systemd gives a credential to the user of a unit by an access control list, and then the
    /// group's bits are the list's mask: 0440 is what it makes, and no group can read it.
    private var allowedMode: UInt32 { origin == .credential ? 0o740 : 0o700 }

    private func checkFile(_ descriptor: CInt) throws(KeyringFileError) {
        var found = stat()
        guard fstat(descriptor, &found) == 0 else { throw KeyringFileError(errno: errno, path) }
        guard found.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path) }
        guard isTrusted(found.st_uid) else { throw .foreignOwner(path, uid: found.st_uid) }
        let mode = UInt32(found.st_mode) & 0o7777
        guard mode & 0o777 & ~allowedMode == 0 else {
            throw .openToOthers(path, mode: mode, allowed: origin == .credential ? 0o400 : 0o600)
        }
    }

    private func isTrusted(_ owner: uid_t) -> Bool {
        if owner == 0 || owner == geteuid() { return true }
        var directory = stat()
        return isWorkedOnByRoot && stat(Self.directory(of: path).string, &directory) == 0 && directory.st_uid == owner
    }

    /// Root works for the user whose state directory it is, as for a service's own user, and leaves the file to that user. A keyring that
    /// was named stands anywhere: there the directory's owner could put another in its place.
    var isWorkedOnByRoot: Bool { geteuid() == 0 && origin == .stateDirectory }

    /// Where the path says the file is, and where it is.
    private var directories: Set<FilePath> {
        var directories: Set = [Self.directory(of: path)]
        if let resolved = Self.resolved(path) { directories.insert(Self.directory(of: resolved)) }
        return directories
    }

    /// Whether nobody but this user and root can replace what is in a directory. In one that is sticky, such as /tmp, others can add
    /// files and cannot touch those that are not theirs.
    func checkDirectory(_ path: FilePath) throws(KeyringFileError) {
        var found = stat()
        guard stat(path.string, &found) == 0 else { throw KeyringFileError(errno: errno, path) }
        guard found.st_uid == 0 || found.st_uid == geteuid() || isWorkedOnByRoot else { throw .directoryOfOther(path, uid: found.st_uid) }
        let mode = UInt32(found.st_mode) & 0o7777
        guard mode & 0o022 == 0 || mode & 0o1000 != 0 else { throw .directoryOpenToOthers(path, mode: mode) }
    }

    /// A keyring is replaced by a rename, never written over; should somebody do that in an editor, half of it is not believed.
    private func contents(_ descriptor: CInt) throws(KeyringFileError) -> [UInt8] {
        for attempt in 0..<10 {
            if attempt > 0 { usleep(5_000) }
            var before = plue_file_status()
            var after = plue_file_status()
            guard plue_status_of_descriptor(descriptor, &before) == 0 else { throw KeyringFileError(errno: errno, path) }
            guard before.size <= Keyring.longestText else { throw .tooLarge(path) }
            var bytes = [UInt8](repeating: 0, count: Int(before.size) + 1)
            let count = pread(descriptor, &bytes, bytes.count, 0)
            guard count >= 0 else { throw KeyringFileError(errno: errno, path) }
            guard plue_status_of_descriptor(descriptor, &after) == 0 else { throw KeyringFileError(errno: errno, path) }
            if count == before.size, before.size == after.size, before.modified == after.modified, before.changed == after.changed {
                bytes.removeLast()
                return bytes
            }
            erase(&bytes)
        }
        throw .changing(path)
    }

    static func directory(of path: FilePath) -> FilePath {
        let directory = path.removingLastComponent()
        return directory.isEmpty ? "." : directory
    }

    /// Where a path leads, links followed; `nil` when it leads nowhere.
    static func resolved(_ path: FilePath) -> FilePath? {
        guard let resolved = realpath(path.string, nil) else { return nil }
        defer { free(resolved) }
        return FilePath(String(cString: resolved))
    }
}

extension KeyringFileError {
    init(errno code: CInt, _ path: FilePath) {
        switch Errno(rawValue: code) {
        case .noSuchFileOrDirectory, .notDirectory: self = .missing(path)
        case let error: self = .system(path, error)
        }
    }
}
