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
    public let maxUploadSize: Int

    public init(source: RequestSource) {
        coreContext = CoreRequestContextStorage(source: source)
        peer = source.peer
        maxUploadSize = source.maxBodySize
    }
}

/// What a context is made from.
public struct RequestSource: RequestContextSource {
    public let logger: Logger
    public let peer: RequestPeer
    public let maxBodySize: Int
}
