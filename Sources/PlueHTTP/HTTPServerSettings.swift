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
        /// How long a connection may be without a request, and a request's headers may take. Counts for connections from then on.
        public var idleTimeout: Duration = .seconds(60)
        /// Largest request body, in bytes.
        public var maxBodySize = 16 * 1_048_576
        /// Largest size of one header field and of all together, in bytes.
        public var maxHeaderSize = 64 * 1024
        /// How long the connections of a replaced listener may go on.
        public var drainTimeout: Duration = .seconds(30)

        public init() {}
    }

    public var endpoint: Endpoint
    public var limits: Limits

    public init(endpoint: Endpoint, limits: Limits = Limits()) {
        self.endpoint = endpoint
        self.limits = limits
    }
}

extension HTTPServerSettings {
    /// What going to other settings means for clients.
    public func action(to new: HTTPServerSettings) -> ServiceAction {
        self == new ? .none : endpoint == new.endpoint ? .live : .swap
    }
}
