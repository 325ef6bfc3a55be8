public import PlueConfig
public import SystemPackage

/// What an SSH server needs to know; every part can change while it serves.
public struct SSHServerSettings: Hashable, Sendable {
    /// A name or address, and a port; port 0 takes a free one.
    public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
        /// Address or name the listener binds.
        public var host: String
        /// TCP port; 0 takes a free one.
        public var port: Int

        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        /// `127.0.0.1:2222`, `[::1]:2222`.
        public var description: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }

        /// Whether two listeners cannot have them at the same time; hosts that share a port may be one address.
        func excludes(_ other: Self) -> Bool { port != 0 && port == other.port }
    }

    /// What connections may do. Changing them touches no socket.
    public struct Limits: Hashable, Sendable {
        /// Most clients that are logged in at once. One more is refused at its login, in words.
        public var maxConnections = 100
        /// How long a client may be silent: before its login, at a prompt, or while it does not take what it is sent. A command that
        /// runs is no silence.
        public var idleTimeout: Duration = .seconds(600)
        /// How long commands may go on when the server ends or is disabled.
        public var drainTimeout: Duration = .seconds(30)
        /// How long a login may take.
        public var loginTimeout: Duration = .seconds(30)
        /// How many keys, or other proofs, a client may try; as in sshd's `MaxAuthTries`.
        public var maxLoginAttempts = 6
        /// Most clients that are not logged in. One more takes the place of another that does not get on with it, so that no number
        /// of them keeps anybody out.
        public var maxHalfOpen = 128
        /// Most commands and shells of one client at once; as in sshd's `MaxSessions`.
        public var maxSessions = 10

        public init() {}
    }

    /// Whether there is a server at all.
    public var isEnabled: Bool
    /// Where clients connect.
    public var endpoint: Endpoint
    /// Private keys that the server proves itself with, one of each type. None: an ed25519 key in the state directory, made once.
    public var hostKeys: [SSHKeyFile]
    /// Where the host key is made when none is named; has to exist.
    public var stateDirectory: FilePath
    /// Who may log in: a file in OpenSSH's format, see ``AuthorizedKeys``.
    public var authorizedKeys: SSHKeyFile?
    /// Shown before login; nothing when empty.
    public var banner: String
    /// Whether taking a key away ends the sessions that it opened.
    public var terminatesRevoked: Bool
    /// How many clients, and for how long.
    public var limits: Limits

    public init(
        isEnabled: Bool = true, endpoint: Endpoint, hostKeys: [SSHKeyFile] = [], stateDirectory: FilePath, authorizedKeys: SSHKeyFile?,
        banner: String = "", terminatesRevoked: Bool = false, limits: Limits = Limits()
    ) {
        self.isEnabled = isEnabled
        self.endpoint = endpoint
        self.hostKeys = hostKeys
        self.stateDirectory = stateDirectory
        self.authorizedKeys = authorizedKeys
        self.banner = banner
        self.terminatesRevoked = terminatesRevoked
        self.limits = limits
    }
}

extension SSHServerSettings {
    /// What going to other settings means for clients.
    public func action(to new: SSHServerSettings) -> ServiceAction {
        if self == new || (!isEnabled && !new.isEnabled) { return .none }
        return isEnabled == new.isEnabled && endpoint == new.endpoint ? .live : .swap
    }

    /// What a look from outside will see.
    public var verification: String { isEnabled ? "an SSH server's greeting from \(endpoint)" : "nothing: the server is disabled" }
}
