public import PlueConfig
public import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A file with keys, and what it holds where that was read already.
///
/// Two with the same path and other content differ, so that a file that changed is a change of the settings.
public struct SSHKeyFile: Sendable {
    /// Where the key is.
    public let path: FilePath
    /// `nil`: it is read when the server prepares.
    let content: Secret<[UInt8]>?

    public init(_ path: FilePath) {
        self.path = path
        content = nil
    }

    /// A file that was read together with the configuration: this content counts, whatever the file holds later.
    public init(_ path: FilePath, holding content: Secret<[UInt8]>) {
        self.path = path
        self.content = content
    }

    /// The longest that is read, in bytes.
    private static let longest = 1_048_576

    /// What may be wrong with a file's mode.
    enum Mode {
        /// Nobody else may read it.
        case `private`
        /// Nobody else may write to it.
        case unwritable

        var forbidden: UInt16 { self == .private ? 0o077 : 0o022 }
    }

    /// Reads the file, unless it was read, and looks at who else could have read or changed it. Blocks.
    /// - Parameter what: What the file is called in a refusal: "the host key".
    func load(_ what: String, mode: Mode, from files: some FileAccess = SystemFiles()) throws(ServiceRefusal) -> [UInt8] {
        let bytes: [UInt8]
        if let content {
            bytes = content.withExposed { $0 }
        } else {
            do { bytes = try files.read(path, limit: Self.longest) } catch { throw ServiceRefusal("\(what) \(error)") }
        }
        guard let status = files.status(of: path) else { throw ServiceRefusal("\(what) \(path) cannot be looked at") }
        guard status.owner == 0 || status.owner == geteuid() else {
            throw ServiceRefusal("\(what) \(path) belongs to another user; 'chown' it to root or to the user that runs this")
        }
        guard status.permissions & mode.forbidden == 0 else {
            let wrong = mode == .private ? "can be read or changed by others" : "can be changed by others"
            throw ServiceRefusal("\(what) \(path) \(wrong); 'chmod \(mode == .private ? "600" : "go-w") \(path)' makes it acceptable")
        }
        return bytes
    }
}

extension SSHKeyFile: Hashable {
    public static func == (left: Self, right: Self) -> Bool {
        left.path == right.path && left.content.map { $0.withExposed { $0 } } == right.content.map { $0.withExposed { $0 } }
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(path) }
}
