public import PlueConfig
public import SystemPackage

/// What an HTTP server needs to know; every part can change while it serves.
public struct HTTPServerSettings: Hashable, Sendable {
    /// Where clients connect.
    public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
        /// A name or address, and a port; port 0 takes a free one.
        case tcp(host: String, port: Int)
        /// A socket file; only its owner may connect.
        case unix(FilePath)

        /// `127.0.0.1:8080`, `[::1]:8080`, or the socket's path.
        public var description: String {
            switch self {
            case .tcp(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
            case .unix(let path): path.string
            }
        }

        /// Whether two listeners cannot have them at the same time; hosts that share a port may be one address.
        func excludes(_ other: Self) -> Bool {
            switch (self, other) {
            case (.tcp(_, let port), .tcp(_, let otherPort)): port != 0 && port == otherPort
            default: self == other
            }
        }
    }

    /// What one connection may do. Changing them touches no socket.
    public struct Limits: Hashable, Sendable {
        /// Most connections at once; more wait in the system's queue.
        public var maxConnections = 10_000
        /// Longest a request may take until its response begins; a stream that has begun may go on.
        public var requestTimeout: Duration = .seconds(30)
        /// How long a connection may be without a request, a handshake and a request's headers together may take, and a client may
        /// take to read the end of its last response. Counts for connections from then on.
        public var idleTimeout: Duration = .seconds(60)
        /// Largest request body, in bytes.
        public var maxBodySize = 16 * 1_048_576
        /// Largest size of one header field and of all together, in bytes.
        public var maxHeaderSize = 64 * 1024
        /// How long the connections of a replaced listener may go on.
        public var drainTimeout: Duration = .seconds(30)

        public init() {}
    }

    /// What an HTTPS server proves its name with. What the files hold is part of the settings: a renewed certificate under the same
    /// path is a change.
    public struct TLS: Hashable, Sendable {
        /// The certificate chain in PEM form, the server's own certificate first.
        public var certificate: WatchedFile
        /// The private key in PEM form, not encrypted.
        public var privateKey: WatchedFile

        /// The certificates of the authorities, in PEM form, whose clients may prove who they are by a certificate of theirs; `nil`
        /// when clients are not asked. A client that has none is served as well.
        public var clientAuthority: WatchedFile?

        public init(certificate: WatchedFile, privateKey: WatchedFile, clientAuthority: WatchedFile? = nil) {
            self.clientAuthority = clientAuthority
            self.certificate = certificate
            self.privateKey = privateKey
        }
    }

    /// Where clients connect.
    public var endpoint: Endpoint
    /// What a connection may do.
    public var limits: Limits
    /// `nil` for plain HTTP.
    public var tls: TLS?

    public init(endpoint: Endpoint, limits: Limits = Limits(), tls: TLS? = nil) {
        self.endpoint = endpoint
        self.limits = limits
        self.tls = tls
    }
}

extension HTTPServerSettings {
    /// What going to other settings means for clients.
    public func action(to new: HTTPServerSettings) -> ServiceAction {
        if self == new { return .none }
        // Another certificate nobody notices who is connected; that the scheme is another one everybody does.
        return endpoint == new.endpoint && (tls == nil) == (new.tls == nil) ? .live : .swap
    }

    /// What is looked at from outside once they are live, in a few words.
    public var verification: String { "\(tls == nil ? "an answer" : "the certificate and an answer") from \(endpoint)" }
}
