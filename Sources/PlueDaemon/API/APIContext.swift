import Hummingbird
import PlueHTTP

/// A request's context behind the door: the connection's own, and who asks.
struct APIContext: RequestContext {
    typealias Source = RequestSource

    var coreContext: CoreRequestContextStorage
    let peer: RequestPeer
    /// Whether the connection is encrypted.
    let isSecure: Bool
    /// What the client proved to be, if it did.
    let certificate: ClientCertificate?
    let maxUploadSize: Int
    /// For an answer that holds for the next one who asks the same.
    let repeatable: RepeatableAnswer
    /// Nobody, until ``AuthenticationMiddleware`` has looked.
    var requester: Requester
    /// Why they are nobody, when they showed something that did not count.
    var refusal: Problem?

    init(source: RequestSource) { self.init(PeerRequestContext(source: source)) }

    init(_ context: PeerRequestContext) {
        coreContext = context.coreContext
        peer = context.peer
        isSecure = context.isSecure
        certificate = context.certificate
        maxUploadSize = context.maxUploadSize
        repeatable = context.repeatable
        requester = Requester(actor: context.peer.description, role: nil, method: .none)
    }
}

/// The API as the HTTP server wants it: from a connection's context on.
struct APIResponder<Routes: HTTPResponder>: HTTPResponder where Routes.Context == APIContext {
    let routes: Routes

    @concurrent
    func respond(to request: Request, context: PeerRequestContext) async throws -> Response {
        try await routes.respond(to: request, context: APIContext(context))
    }
}
