public import PlueConfig

/// Who asks: found once per request by ``AuthenticationMiddleware``, and looked at by everything behind it.
public struct Requester: Sendable {
    /// How they were recognised.
    public enum Method: String, Hashable, Sendable {
        /// Not at all.
        case none
        /// The system vouches for the user at the socket's other end.
        case socket
        /// By a token in the request.
        case token
        /// By a session's cookie.
        case session
        /// By a certificate that the connection was made with.
        case certificate
    }

    /// As history and audit name them: `unix:1000`, `token:deploy`, `mtls:ci.example.org`. A session acts as whoever opened it. Nobody is
    /// `tcp:` and an address.
    public let actor: String
    /// What they may do; `nil` for nobody.
    public let role: Role?
    /// The settings they may see and change.
    public let scope: SectionScope
    public let method: Method
    /// Where the connection comes from; empty on the socket.
    public let address: String
    /// How long all this counts. What goes on for long, as a stream does, ends with it.
    public let grant: Grant

    init(
        actor: String, role: Role?, scope: SectionScope = .everything, method: Method, address: String = "", grant: Grant = Grant()
    ) {
        self.actor = actor
        self.role = role
        self.scope = scope
        self.method = method
        self.address = address
        self.grant = grant
    }

    /// Somebody who showed nothing that counts.
    static func nobody(at address: String) -> Requester {
        Requester(actor: "tcp:\(address)", role: nil, method: .none, address: address, grant: strangers)
    }

    private static let strangers = Grant()

    /// Whether they may do what takes at least this role.
    public func may(_ role: Role) -> Bool { self.role.map { $0 >= role } ?? false }
}
