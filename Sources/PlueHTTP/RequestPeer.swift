public import Hummingbird
public import Logging

/// Who is at the other end of a connection.
public enum RequestPeer: Hashable, Sendable, CustomStringConvertible {
    /// Through TCP, from this address.
    case tcp(address: String)
    /// Through the socket file: the system vouches for the user.
    case unix(uid: UInt32, pid: Int32)

    /// As history and audit name the actor: `unix:1000`, `tcp:127.0.0.1`.
    public var description: String {
        switch self {
        case .tcp(let address): "tcp:\(address)"
        case .unix(let uid, _): "unix:\(uid)"
        }
    }
}

/// A request's context: Hummingbird's own, with the peer and the limit on its body.
public struct PeerRequestContext: RequestContext {
    public typealias Source = RequestSource

    public var coreContext: CoreRequestContextStorage
    /// Who asks.
    public let peer: RequestPeer
    /// Whether the connection is encrypted.
    public let isSecure: Bool
    /// What the client proved to be, if it did.
    public let certificate: ClientCertificate?
    /// Largest body, in bytes; by the settings that run when the request comes.
    public let maxUploadSize: Int
    /// For an answer that holds for the next one who asks the same.
    public let repeatable: RepeatableAnswer

    public init(source: RequestSource) {
        coreContext = CoreRequestContextStorage(source: source)
        peer = source.peer
        isSecure = source.isSecure
        certificate = source.certificate
        maxUploadSize = source.maxBodySize
        repeatable = source.repeatable
    }
}

/// What a context is made from.
public struct RequestSource: RequestContextSource {
    /// The request's own logger.
    public let logger: Logger
    /// Who asks.
    public let peer: RequestPeer
    /// Whether the connection is encrypted.
    public let isSecure: Bool
    /// What the client proved to be, if it did.
    public let certificate: ClientCertificate?
    /// Largest body, in bytes.
    public let maxBodySize: Int
    /// By which a handler says that its answer may be given again to the same question.
    public let repeatable = RepeatableAnswer()
}
