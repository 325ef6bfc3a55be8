public import SystemPackage

/// The file system as Plue sees it. ``SystemFiles`` is the real one, ``MemoryFiles`` its twin for tests.
public protocol FileAccess: Sendable {
    /// A regular file's bytes, whole: as they were at one moment, or an error.
    func read(_ path: FilePath, limit: Int) throws(FileReadError) -> [UInt8]

    /// What a path names, links followed; `nil` when there is nothing, or nothing that may be looked at.
    func status(of path: FilePath) -> FileStatus?
}

extension FileAccess {
    /// A regular file's bytes, of at most 16 MiB.
    public func read(_ path: FilePath) throws(FileReadError) -> [UInt8] { try read(path, limit: 16 * 1_048_576) }
}

/// What a path names.
public struct FileStatus: Hashable, Sendable {
    /// What there is at a path.
    public enum Kind: Hashable, Sendable { case regular, directory, other }

    public var kind: Kind
    /// The permission bits, `0o644`.
    public var permissions: UInt16
    /// The owner's user id.
    public var owner: UInt32
    /// Whether this process may read it.
    public var isReadable: Bool

    public init(kind: Kind, permissions: UInt16, owner: UInt32, isReadable: Bool) {
        self.kind = kind
        self.permissions = permissions
        self.owner = owner
        self.isReadable = isReadable
    }
}

/// Why a file could not be read.
public struct FileReadError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Why a file was not read.
    public enum Cause: Hashable, Sendable {
        case missing
        /// A directory, a pipe, a device.
        case notRegular
        case tooLarge(limit: Int)
        /// Somebody kept writing to it.
        case changing
        /// A secret's bytes are not UTF-8.
        case notText
        /// The system's reason: permission, input/output error.
        case system(Errno)
    }

    /// The file that was to be read.
    public let path: FilePath
    /// Why it was not.
    public let cause: Cause

    public init(path: FilePath, cause: Cause) {
        self.path = path
        self.cause = cause
    }

    /// One sentence with the way out.
    public var description: String {
        switch cause {
        case .missing: "\(path) does not exist"
        case .notRegular: "\(path) is not a regular file"
        case .tooLarge(let limit): "\(path) is larger than \(limit) bytes"
        case .changing: "\(path) is being written to; it is read again when it has settled"
        case .notText: "\(path) is not UTF-8 text; encode it, for example as base64"
        case .system(.permissionDenied): "\(path) may not be read by this user; check its mode and owner"
        case .system(let error): "\(path) cannot be read: \(error)"
        }
    }
}

/// Files in memory, for tests; each can be made to fail.
public struct MemoryFiles: FileAccess {
    /// What reading each path gives.
    public var files: [FilePath: Result<[UInt8], FileReadError>]
    /// The permissions of files, 0644 unless said.
    public var permissions: [FilePath: UInt16] = [:]

    public init(_ files: [FilePath: Result<[UInt8], FileReadError>] = [:]) { self.files = files }

    public func read(_ path: FilePath, limit: Int) throws(FileReadError) -> [UInt8] {
        guard let file = files[path] else { throw FileReadError(path: path, cause: .missing) }
        let bytes = try file.get()
        guard bytes.count <= limit else { throw FileReadError(path: path, cause: .tooLarge(limit: limit)) }
        return bytes
    }

    public func status(of path: FilePath) -> FileStatus? {
        guard let file = files[path] else { return nil }
        return FileStatus(
            kind: file == .failure(FileReadError(path: path, cause: .notRegular)) ? .other : .regular,
            permissions: permissions[path] ?? 0o644, owner: 0, isReadable: (try? file.get()) != nil)
    }
}
