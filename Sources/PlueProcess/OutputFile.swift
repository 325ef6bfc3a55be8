import Foundation
import PlueConfig
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// The file that a daemon reads, and the hidden files beside it that a change needs. Every call blocks.
///
/// ```
/// nginx.conf                     what the daemon reads; replaced by a rename, so always wholly the old or the new one
/// .nginx.conf.plue-next-TOKEN    a candidate: rendered, checked, not yet in its place
/// .nginx.conf.plue-former-TOKEN  the file as it was before a change that is not decided yet: the same file under a second name
/// .nginx.conf.plue-none-TOKEN    there was none
/// ```
/// The last two are there from before the rename until the change is decided. Found at a start, they say that a process ended in
/// between, and that the daemon may not have read what the file says.
struct OutputFile: Sendable, Hashable {
    let path: FilePath

    private var directory: FilePath { path.removingLastComponent() }
    private var name: String { path.lastComponent?.string ?? "" }

    /// The file as it is.
    struct Found: Sendable {
        let content: [UInt8]
        let mode: mode_t
        let owner: uid_t
        let group: gid_t
    }

    /// What there was before a change.
    enum Former: Sendable, Hashable {
        /// The file, under this name.
        case file(FilePath)
        /// There was none, which this empty file says.
        case nothing(FilePath)

        var path: FilePath {
            switch self {
            case .file(let path), .nothing(let path): path
            }
        }
    }

    private enum Role: String, CaseIterable {
        case next, former, none
    }

    /// Where the candidate of that token is, before it is installed.
    func candidate(_ token: String) -> FilePath { beside(.next, token) }

    private func beside(_ role: Role, _ token: String) -> FilePath { directory.appending(".\(name).plue-\(role.rawValue)-\(token)") }

    // MARK: - Looking

    /// - Returns: `nil` when there is none.
    func found() throws(ServiceRefusal) -> Found? {
        var status = stat()
        guard lstat(path.string, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw refusal("cannot be looked at", errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ServiceRefusal("\(path) is not a regular file; if it is a link, name the file that it leads to")
        }
        do {
            let content = try SystemFiles().read(path, limit: Template.largestOutput)
            return Found(content: content, mode: status.st_mode & 0o7777, owner: status.st_uid, group: status.st_gid)
        } catch {
            throw ServiceRefusal("\(error)")
        }
    }

    /// What a process that ended in the middle of a change left behind.
    func unfinished() -> Former? {
        leftovers(.former).first.map { .file($0) } ?? leftovers(.none).first.map { .nothing($0) }
    }

    /// Removes candidates that a process left behind: they may hold secrets.
    func sweep() { for path in leftovers(.next) { unlink(path.string) } }

    private func leftovers(_ role: Role) -> [FilePath] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.string)) ?? []
        return names.filter { $0.hasPrefix(".\(name).plue-\(role.rawValue)-") }.sorted().map { directory.appending($0) }
    }

    // MARK: - A change

    /// Writes a candidate beside the file, with the owner and group of the one that is there.
    func stage(_ content: Secret<[UInt8]>, mode: mode_t, like found: Found?, _ token: String) throws(ServiceRefusal) {
        let next = candidate(token)
        let descriptor = open(next.string, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw refusal("cannot be written", errno) }
        defer { close(descriptor) }
        do {
            _ = try content.withExposed { content in try FileDescriptor(rawValue: descriptor).writeAll(content) }
            if let found, found.owner != geteuid() || found.group != getegid() {
                guard fchown(descriptor, found.owner, found.group) == 0 else { throw Errno(rawValue: errno) }
            }
            guard fchmod(descriptor, mode) == 0, fsync(descriptor) == 0 else { throw Errno(rawValue: errno) }
        } catch {
            unlink(next.string)
            throw refusal("cannot be written with its mode and owner", (error as? Errno)?.rawValue ?? EIO)
        }
    }

    /// Keeps what is there under a second name, until the change is decided.
    func keep(_ token: String) throws(ServiceRefusal) -> Former {
        let former = beside(.former, token)
        unlink(former.string)
        if link(path.string, former.string) == 0 {
            try sync()
            return .file(former)
        }
        guard errno == ENOENT else { throw refusal("cannot be kept under a second name", errno) }
        let none = beside(.none, token)
        let descriptor = open(none.string, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw refusal("cannot be written", errno) }
        close(descriptor)
        try sync()
        return .nothing(none)
    }

    /// Puts a candidate in the file's place.
    func install(_ token: String) throws(ServiceRefusal) {
        guard rename(candidate(token).string, path.string) == 0 else { throw refusal("cannot be replaced", errno) }
        try sync()
    }

    /// Puts what there was before back in its place, and goes on keeping it.
    /// - Returns: `false` when it is gone.
    func putBack(_ former: Former, _ token: String) throws(ServiceRefusal) -> Bool {
        switch former {
        case .nothing:
            guard unlink(path.string) == 0 || errno == ENOENT else { throw refusal("cannot be removed", errno) }
        case .file(let kept):
            let next = beside(.next, token)
            unlink(next.string)
            guard link(kept.string, next.string) == 0 else {
                if errno == ENOENT { return false }
                throw refusal("cannot be put back", errno)
            }
            // Renaming a file onto itself does nothing, and leaves both names.
            defer { unlink(next.string) }
            guard rename(next.string, path.string) == 0 else { throw refusal("cannot be put back", errno) }
        }
        try sync()
        return true
    }

    /// The change is decided: what was before it is of no use any more.
    func forget(_ former: Former) { unlink(former.path.string) }

    /// Removes whatever belongs to the token.
    func remove(_ token: String, candidateOnly: Bool) {
        unlink(beside(.next, token).string)
        if candidateOnly { return }
        unlink(beside(.former, token).string)
        unlink(beside(.none, token).string)
    }

    // MARK: -

    private func sync() throws(ServiceRefusal) {
        let descriptor = open(directory.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw refusal("cannot be made durable", errno) }
        defer { close(descriptor) }
        // Some file systems cannot sync a directory and say EINVAL; there is nothing better to do there.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw refusal("cannot be made durable", errno) }
    }

    private func refusal(_ what: String, _ code: Int32) -> ServiceRefusal {
        switch Errno(rawValue: code) {
        case .noSuchFileOrDirectory: ServiceRefusal("\(path) \(what): the directory \(directory) does not exist")
        case .readOnlyFileSystem: ServiceRefusal("\(path) \(what): its file system is read-only")
        case .noSpace: ServiceRefusal("\(path) \(what): the disk is full")
        case .permissionDenied, .notPermitted: ServiceRefusal("\(path) \(what): this user may not; check the directory's owner and mode")
        case .resourceBusy:
            ServiceRefusal("\(path) \(what): it is a mount of its own, onto which nothing can be renamed; mount its directory")
        case let error: ServiceRefusal("\(path) \(what): \(error)")
        }
    }
}
