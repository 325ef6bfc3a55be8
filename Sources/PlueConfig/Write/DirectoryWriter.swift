import CPlueSystem
import Foundation
public import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// Writes documents into a configuration directory so that each of them is at every moment wholly the old or wholly the new one.
///
/// All new bytes are on disk under hidden names before the first rename, so what commonly fails (a full disk, a directory that
/// cannot be written) fails while nothing has changed. A link is followed: what it leads to is replaced, the link stays.
struct DirectoryWriter {
    let directory: FilePath
    /// Whether a document that cannot be renamed onto, such as a mount of its own, may be written where it is.
    var allowsInPlace = false
    /// Called before each step; what it throws, the step fails with. For tests of what cannot be had otherwise.
    var before: @Sendable (WriteStep) throws(Errno) -> Void = { _ throws(Errno) in }

    /// How long another writer of the same directory is waited for.
    private static let patience: Duration = .seconds(2)

    /// Writes all changes, each only if the document still holds what the change was made from.
    /// - Throws: ``WriteRefusal``. When it comes from the renames, some documents may be written: ``restore(_:)`` undoes them.
    func write(_ changes: [DocumentChange]) throws(WriteRefusal) {
        try locked { () throws(WriteRefusal) in
            var staged: [Staged] = []
            var made: [FilePath] = []
            var isReplaced = false
            defer {
                for file in staged { file.discard() }
                // A drop-in directory that was made for nothing.
                if !isReplaced { for parent in made { rmdir(parent.string) } }
            }
            for change in changes where try current(target(change.name)) != change.after {
                if let parent = try makeParent(of: target(change.name)) { made.append(parent) }
                staged.append(try stage(change))
            }
            for file in staged {
                guard try current(file.target) == file.change.before else { throw WriteRefusal(.changedMeanwhile, file.target) }
            }
            isReplaced = true
            for index in staged.indices { try replace(&staged[index]) }
            try sync(
                staged.flatMap { [$0.target, directory.appending($0.change.name)] }.map { $0.removingLastComponent() }
                    + made.map { $0.removingLastComponent() })
        }
    }

    /// Takes changes back that may have been written, wholly, in part or not at all. A document that holds what somebody else
    /// wrote is left alone.
    /// - Throws: ``WriteRefusal`` when one could not be put back, or holds something else; the others are put back all the same.
    func restore(_ changes: [DocumentChange]) throws(WriteRefusal) {
        try locked { () throws(WriteRefusal) in
            var failure: WriteRefusal?
            var touched: [FilePath] = []
            for change in changes {
                do throws(WriteRefusal) {
                    let target = target(change.name)
                    discardLeftover(beside: target)
                    let found = try current(target)
                    if found == change.before { continue }
                    guard found == change.after || isMountPoint(target) && change.mayHaveLeft(found) else {
                        throw WriteRefusal(.changedMeanwhile, target)
                    }
                    let parent = try makeParent(of: target)
                    var file = try stage(DocumentChange(name: change.name, before: found, after: change.before))
                    defer { file.discard() }
                    try replace(&file)
                    if let parent { touched.append(parent.removingLastComponent()) }
                    touched.append(target.removingLastComponent())
                } catch {
                    failure = failure ?? error
                }
            }
            try sync(touched)
            if let failure { throw failure }
        }
    }

    // MARK: - One document

    /// A document's new bytes, on disk under another name.
    private struct Staged {
        let change: DocumentChange
        let target: FilePath
        /// `nil` when there is nothing to rename: the document is to be deleted, or has taken its place.
        var temporary: FilePath?

        func discard() {
            if let temporary { unlink(temporary.string) }
        }
    }

    /// Makes the directory that a document is to be in.
    /// - Returns: It, when it was not there.
    private func makeParent(of target: FilePath) throws(WriteRefusal) -> FilePath? {
        let parent = target.removingLastComponent()
        if mkdir(parent.string, 0o755) == 0 { return parent }
        guard errno == EEXIST else { throw WriteRefusal(.system(Errno(rawValue: errno)), target) }
        return nil
    }

    private func stage(_ change: DocumentChange) throws(WriteRefusal) -> Staged {
        let target = target(change.name)
        guard let bytes = change.after else { return Staged(change: change, target: target) }
        try step(.stage(change.name), target)
        discardLeftover(beside: target)
        let temporary = Self.temporary(for: target)
        let descriptor = open(temporary.string, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw WriteRefusal(.system(Errno(rawValue: errno)), target) }
        defer { close(descriptor) }
        let staged = Staged(change: change, target: target, temporary: temporary)
        do {
            try Self.write(bytes, to: descriptor)
            try takeOver(descriptor, from: target, isPrivate: change.isCopy)
            guard fsync(descriptor) == 0 else { throw Errno(rawValue: errno) }
        } catch {
            staged.discard()
            throw WriteRefusal(.system(error as? Errno ?? .ioError), target)
        }
        return staged
    }

    private func replace(_ file: inout Staged) throws(WriteRefusal) {
        try step(.replace(file.change.name), file.target)
        guard let temporary = file.temporary else {
            // The name in this directory: where it is a link, what it leads to belongs to somebody else.
            let path = directory.appending(file.change.name)
            guard unlink(path.string) == 0 || errno == ENOENT else {
                let failure = Errno(rawValue: errno)
                throw WriteRefusal(failure == .resourceBusy ? .cannotRename : .system(failure), path)
            }
            return
        }
        // Exchanged, where there is something to exchange with: what comes out is looked at, so that what an editor saved
        // since it was compared is not lost.
        if file.change.before != nil, plue_exchange(temporary.string, file.target.string) == 0 {
            guard (try? current(temporary)) == file.change.before else {
                _ = plue_exchange(temporary.string, file.target.string)
                throw WriteRefusal(.changedMeanwhile, file.target)
            }
            file.discard()
            file.temporary = nil
            return
        }
        if rename(temporary.string, file.target.string) == 0 {
            file.temporary = nil
            return
        }
        let failure = Errno(rawValue: errno)
        guard failure == .resourceBusy else { throw WriteRefusal(.system(failure), file.target) }
        guard allowsInPlace, let bytes = file.change.after else { throw WriteRefusal(.cannotRename, file.target) }
        try writeInPlace(bytes, file.target)
    }

    /// Over the old bytes, in one pass from the start: what is there in between is recognized by ``DocumentChange/mayHaveLeft(_:)``.
    private func writeInPlace(_ bytes: [UInt8], _ target: FilePath) throws(WriteRefusal) {
        let descriptor = open(target.string, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw WriteRefusal(.system(Errno(rawValue: errno)), target) }
        defer { close(descriptor) }
        do {
            try Self.write(bytes, to: descriptor)
            guard ftruncate(descriptor, off_t(bytes.count)) == 0, fsync(descriptor) == 0 else { throw Errno(rawValue: errno) }
        } catch {
            throw WriteRefusal(.system(error as? Errno ?? .ioError), target)
        }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) throws {
        try FileDescriptor(rawValue: descriptor).writeAll(bytes)
    }

    /// The mode and owner of the document that is replaced; those of its neighbours for a new one.
    private func takeOver(_ descriptor: Int32, from target: FilePath, isPrivate: Bool) throws {
        var found = stat()
        let own = stat(target.string, &found) == 0
        if !own, stat(directory.string, &found) != 0 { throw Errno(rawValue: errno) }
        // A new document is written by its owner, and read by whoever may list the directory and read all documents beside it.
        // What a copy is of may have been readable by its owner alone.
        let mode = isPrivate ? 0o600 : own ? found.st_mode & 0o7777 : found.st_mode & 0o044 & narrowestMode(beside: target) | 0o600
        if found.st_uid != geteuid() || found.st_gid != getegid() {
            // Only root may give files away, and others to groups they are in; else the writer keeps what it wrote.
            if fchown(descriptor, found.st_uid, found.st_gid) != 0 { _ = fchown(descriptor, uid_t.max, found.st_gid) }
        }
        guard fchmod(descriptor, mode) == 0 else { throw Errno(rawValue: errno) }
    }

    private func narrowestMode(beside target: FilePath) -> mode_t {
        let parent = target.removingLastComponent()
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.string)) ?? []
        return names.filter { $0.hasSuffix(".ini") && !$0.hasPrefix(".") }.reduce(0o777) { mode, name in
            var found = stat()
            return stat(parent.appending(name).string, &found) == 0 ? mode & found.st_mode : mode
        }
    }

    /// What a document holds; `nil` when it does not exist.
    /// - Throws: When it is there and cannot be read: what is not known is not overwritten.
    private func current(_ target: FilePath) throws(WriteRefusal) -> [UInt8]? {
        do throws(FileReadError) {
            return try SystemFiles().read(target)
        } catch {
            guard error.cause == .missing else { throw WriteRefusal(.unreadable, target) }
            return nil
        }
    }

    /// Whether a document is written in place, if at all: only then is there something between the old and the new.
    private func isMountPoint(_ target: FilePath) -> Bool { plue_is_mount_point(target.string) != 0 }

    /// Where a document's bytes are, links followed; a link that leads nowhere is where they will be.
    private func target(_ name: String) -> FilePath {
        let path = directory.appending(name)
        guard let resolved = realpath(path.string, nil) else {
            guard let parent = realpath(path.removingLastComponent().string, nil) else { return path }
            defer { free(parent) }
            return FilePath(String(cString: parent)).appending(path.lastComponent?.string ?? name)
        }
        defer { free(resolved) }
        return FilePath(String(cString: resolved))
    }

    /// One name for each document, so that whoever finds it knows what it is left over from.
    private static func temporary(for target: FilePath) -> FilePath {
        target.removingLastComponent().appending(".\(target.lastComponent?.string ?? "document").plue-tmp")
    }

    private func discardLeftover(beside target: FilePath) { unlink(Self.temporary(for: target).string) }

    // MARK: - The directory

    /// Makes renames durable.
    private func sync(_ directories: [FilePath]) throws(WriteRefusal) {
        for path in Set(directories) {
            try step(.sync, path)
            let descriptor = open(path.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { throw WriteRefusal(.system(Errno(rawValue: errno)), path) }
            defer { close(descriptor) }
            // Some file systems cannot sync a directory and say EINVAL; there is nothing better to do there.
            guard fsync(descriptor) == 0 || errno == EINVAL else { throw WriteRefusal(.system(Errno(rawValue: errno)), path) }
        }
    }

    /// One writer a directory: two installations may share one.
    private func locked(_ body: () throws(WriteRefusal) -> Void) throws(WriteRefusal) {
        let descriptor = open(directory.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw WriteRefusal(.system(Errno(rawValue: errno)), directory) }
        // Closing gives the lock up.
        defer { close(descriptor) }
        let deadline = ContinuousClock.now + Self.patience
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            // Some network file systems have no locks; a directory there is not shared by intention.
            guard errno == EWOULDBLOCK else { break }
            guard ContinuousClock.now < deadline else { throw WriteRefusal(.busy, directory) }
            usleep(10_000)
        }
        try body()
    }

    private func step(_ step: WriteStep, _ path: FilePath) throws(WriteRefusal) {
        do throws(Errno) { try before(step) } catch { throw WriteRefusal(.system(error), path) }
    }

    /// Removes what a writer that was killed left behind.
    func removeLeftovers(of names: some Sequence<String>) {
        for name in names { discardLeftover(beside: target(name)) }
    }
}

/// The steps of writing documents, in their order.
package enum WriteStep: Hashable, Sendable {
    /// The document's new bytes go to disk under another name.
    case stage(String)
    /// They take the document's place.
    case replace(String)
    /// A directory's names go to disk.
    case sync
}

extension DocumentChange {
    /// Whether what was found is what a process leaves behind that is killed while it writes the change in place, or while it
    /// puts that back: the old bytes up to somewhere, from there the new ones, from there the old ones again.
    func mayHaveLeft(_ found: [UInt8]?) -> Bool {
        if found == after { return true }
        guard let found, let before, let after, found.count >= min(before.count, after.count) else { return false }
        let old = zip(found, before).prefix { $0 == $1 }.count
        let new = old + zip(found.dropFirst(old), after.dropFirst(old)).prefix { $0 == $1 }.count
        return new == found.count || found.dropFirst(new) == before.dropFirst(new)
    }
}

/// Why documents could not be written.
public struct WriteRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// Why a document was not written.
    public enum Cause: Hashable, Sendable {
        /// The document holds something else than the change was made from.
        case changedMeanwhile
        /// Something is in its place that cannot be read: a pipe, a directory, a file of somebody else's.
        case unreadable
        /// The document is a mount of its own, which nothing can be renamed onto.
        case cannotRename
        /// Another program writes to the directory.
        case busy
        /// The source cannot be written at all.
        case readOnlySource
        case system(Errno)
    }

    /// Why it was not.
    public let cause: Cause
    /// The document, or the directory.
    public let path: FilePath

    /// Whether somebody else is in the way: the same change may be made later, or otherwise.
    public var isConflict: Bool {
        switch cause {
        case .changedMeanwhile, .unreadable, .cannotRename, .busy: true
        case .readOnlySource, .system: false
        }
    }

    /// Whether this user may not write there.
    public var isOfPermission: Bool { cause == .system(.permissionDenied) || cause == .system(.notPermitted) }

    public init(_ cause: Cause, _ path: FilePath) {
        self.cause = cause
        self.path = path
    }

    /// One sentence with the way out.
    public var description: String {
        switch cause {
        case .changedMeanwhile: "\(path) was changed by somebody else meanwhile; look at it, and try again"
        case .unreadable: "\(path) is there and cannot be read, so it is not overwritten; look at it, and move it away"
        case .cannotRename:
            "\(path) is a mount of its own, onto which nothing can be renamed; mount its directory, or set reload.allow_in_place = true"
        case .busy: "another program is writing to \(path); try again"
        case .readOnlySource: "this configuration is not read from files that could be written"
        case .system(.noSpace): "\(path) cannot be written: the disk is full"
        case .system(.readOnlyFileSystem): "\(path) cannot be written: its file system is read-only; change it where it comes from"
        case .system(.permissionDenied), .system(.notPermitted):
            "\(path) may not be written by this user; check the owner and mode of its directory"
        case .system(let error): "\(path) cannot be written: \(error)"
        }
    }
}
