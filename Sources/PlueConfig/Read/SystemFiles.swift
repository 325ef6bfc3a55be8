import CPlueSystem
public import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// The files of this machine. Every call blocks: from asynchronous code it goes through `offPool`.
public struct SystemFiles: FileAccess {
    public init() {}

    public func read(_ path: FilePath, limit: Int) throws(FileReadError) -> [UInt8] {
        try WholeRead(path, limit: limit).bytes
    }

    public func status(of path: FilePath) -> FileStatus? {
        var status = stat()
        guard path.withPlatformString({ stat($0, &status) }) == 0 else { return nil }
        let kind: FileStatus.Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            default: .other
            }
        return FileStatus(
            kind: kind, permissions: UInt16(truncatingIfNeeded: status.st_mode & 0o7777), owner: status.st_uid,
            isReadable: path.withPlatformString { access($0, R_OK) } == 0)
    }
}

/// A file read so that its bytes are one state of it: looked at before and after, and read again when it changed in between.
struct WholeRead {
    let bytes: [UInt8]
    let signature: FileSignature

    /// How often a file that changes under the reader is tried, and the pause between.
    private static let tries = 10
    private static let pause: UInt32 = 5_000

    init(_ path: FilePath, limit: Int) throws(FileReadError) {
        for attempt in 0..<Self.tries {
            if attempt > 0 { usleep(Self.pause) }
            if let read = try Self.once(path, limit) {
                self = read
                return
            }
        }
        throw FileReadError(path: path, cause: .changing)
    }

    private init(bytes: [UInt8], signature: FileSignature) {
        self.bytes = bytes
        self.signature = signature
    }

    /// `nil` when the file changed while it was read.
    private static func once(_ path: FilePath, _ limit: Int) throws(FileReadError) -> WholeRead? {
        // Non-blocking: opening a pipe would wait for its writer.
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(path, .readOnly, options: [.nonBlocking, .closeOnExec])
        } catch {
            throw FileReadError(path: path, (error as? Errno) ?? .ioError)
        }
        defer { try? file.close() }
        guard let before = FileSignature(file) else { throw FileReadError(path: path, cause: .system(.ioError)) }
        guard before.isRegular else { throw FileReadError(path: path, cause: .notRegular) }
        guard before.size <= limit else { throw FileReadError(path: path, cause: .tooLarge(limit: limit)) }
        let size = Int(before.size)
        var read = 0
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while read < size {
                do {
                    let got = try file.read(
                        fromAbsoluteOffset: Int64(read),
                        into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[read..<size]))
                    if got == 0 { break }
                    read += got
                } catch {
                    failure = (error as? Errno) ?? .ioError
                    break
                }
            }
            count = read
        }
        if let failure { throw FileReadError(path: path, failure) }
        guard read == size, FileSignature(file) == before else { return nil }
        return WholeRead(bytes: bytes, signature: before)
    }
}

extension FileReadError {
    init(path: FilePath, _ error: Errno) {
        self.init(path: path, cause: error == .noSuchFileOrDirectory || error == .notDirectory ? .missing : .system(error))
    }
}

/// What tells one state of a file from another without reading it.
struct FileSignature: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64
    let size: Int64
    let modified: Int64
    let changed: Int64
    let owner: UInt32
    let group: UInt32
    let permissions: UInt32
    let isRegular: Bool

    init?(_ file: FileDescriptor) {
        var status = plue_file_status()
        guard plue_status_of_descriptor(file.rawValue, &status) == 0 else { return nil }
        self.init(status)
    }

    /// What the path names, links followed.
    init?(_ path: FilePath) {
        var status = plue_file_status()
        guard path.withPlatformString({ plue_status_of_path($0, &status) }) == 0 else { return nil }
        self.init(status)
    }

    private init(_ status: plue_file_status) {
        device = status.device
        inode = status.inode
        size = status.size
        modified = status.modified
        changed = status.changed
        owner = status.owner
        group = status.group
        permissions = status.permissions
        isRegular = status.is_regular != 0
    }
}
