public import PlueConfig
public import SystemPackage

/// Where a keyring is kept. Every call that reads or writes it blocks.
public struct KeyringFile: Hashable, Sendable {
    /// Where it is.
    public let path: FilePath
    /// What says that it is there.
    public let origin: Origin

    /// What says where the keyring is, by precedence.
    public enum Origin: Hashable, Sendable {
        /// A path that was given outright.
        case explicit
        /// The variable ``KeyringFile/variable``.
        case variable
        /// A systemd credential, ``KeyringFile/credential``. It cannot be written: systemd makes it anew at each start of the unit.
        case credential
        /// The state directory, where `plue secret keygen` makes one.
        case stateDirectory
    }

    /// The environment variable that names a keyring.
    public static let variable = "PLUE_KEYRING_FILE"
    /// The credential's name, as in `LoadCredential=plue.keyring:/etc/plue/keyring`.
    public static let credential = "plue.keyring"

    public init(_ path: FilePath, origin: Origin = .explicit) {
        self.path = path
        self.origin = origin
    }

    /// Finds the keyring: the path given, else `$PLUE_KEYRING_FILE`, else the credential when systemd passes it, else `keyring` in
    /// the state directory. Where a path is named, it is that one or none: a keyring that is missing there is not looked for elsewhere.
    /// - Parameters:
    ///   - variables: The process's environment; an empty variable counts as unset.
    ///   - exists: Whether there is anything at a path. That systemd passes some credential does not mean that it passes this one.
    public static func locate(
        _ path: FilePath? = nil, variables: [String: String], stateDirectory: FilePath,
        exists: (FilePath) -> Bool = { SystemFiles().status(of: $0) != nil }
    ) -> KeyringFile {
        if let path { return KeyringFile(path) }
        if let named = variables[variable], !named.isEmpty { return KeyringFile(FilePath(named), origin: .variable) }
        if let directory = variables["CREDENTIALS_DIRECTORY"], !directory.isEmpty {
            let path = FilePath(directory).appending(credential)
            if exists(path) { return KeyringFile(path, origin: .credential) }
        }
        return KeyringFile(stateDirectory.appending("keyring"), origin: .stateDirectory)
    }
}
