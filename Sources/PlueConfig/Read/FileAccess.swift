public import SystemPackage
public protocol FileAccess: Sendable { func status(of path: FilePath) -> FileStatus? }
public struct FileStatus: Sendable { public enum Kind: Sendable { case regular, directory, other }
  public var kind: Kind; public var permissions: UInt16; public var isReadable: Bool }
public struct MemoryFiles: FileAccess { public init() {}; public func status(of path: FilePath) -> FileStatus? { nil } }
public struct FileReadError: Error, Sendable, CustomStringConvertible { public var description: String { "" } }
