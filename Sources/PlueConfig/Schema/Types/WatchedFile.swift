internal import Crypto
public import SystemPackage

/// A file that a setting names and whose content counts: a certificate, a private key, a template.
///
/// ```swift
/// var certificate: WatchedFile?
/// Setting("certificate", \.certificate, .readable, "PEM file with the certificate chain.")
/// ```
///
/// In documents it is a path. The file is read whole, beside the documents and as of the same moment, and watched: other content
/// under the same path is another configuration, which takes the road like any change, and reaches the services that follow
/// the setting.
public struct WatchedFile: Sendable {
    /// As it is written in the document.
    public let path: FilePath
    /// What the file held; covered, since it may be a key. Nothing when the file was not read, as in a struct's own default.
    public let content: Secret<[UInt8]>
    /// SHA-256 of the content. Covered too: what is shown of it is a fingerprint, as of any secret.
    let digest: Secret<PlainValue>
    /// Who owns the file, and so may have changed it.
    var owner: UInt32?

    /// A file's path and what it holds.
    public init(_ path: FilePath, holding bytes: [UInt8] = []) {
        self.path = path
        content = Secret(bytes)
        digest = Secret(.string(SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()))
    }

    /// Reads a file. Blocks.
    public init(reading path: FilePath, from files: some FileAccess = SystemFiles()) throws(FileReadError) {
        self.init(path, holding: try files.read(path, limit: Self.longest))
        owner = files.status(of: path)?.owner
    }

    /// The longest file that is read, in bytes.
    static let longest = 1_048_576
}

extension WatchedFile: Hashable {
    /// The same path, holding the same.
    public static func == (left: Self, right: Self) -> Bool { left.path == right.path && left.digest.isSame(as: right.digest) }

    public func hash(into hasher: inout Hasher) { hasher.combine(path) }
}

extension WatchedFile: ExpressibleByStringLiteral {
    /// A path, for a default.
    public init(stringLiteral path: String) { self.init(FilePath(path)) }
}
