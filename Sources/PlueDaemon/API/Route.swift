import HTTPTypes
import Hummingbird
import PlueConfig

/// One call of the API: where it is, who may make it, and what it does. There is no other way to have one, so none can be without a
/// role.
struct Route: Sendable {
    /// Who may.
    enum Access: Hashable, Sendable {
        /// Everybody, strangers included.
        case anyone
        /// Whoever has at least this role.
        case least(Role)

        static let viewer = least(.viewer)
        static let `operator` = least(.operator)
        static let admin = least(.admin)
    }

    /// What becomes of somebody who may see and change only some sections.
    enum Scope: Hashable, Sendable {
        /// Refused: the call is about the configuration as a whole.
        case whole
        /// Let through: the handler keeps to ``Requester/scope``, or nothing of it is about settings.
        case kept
    }

    typealias Handler = @Sendable (Request, APIContext) async throws -> Response

    let method: HTTPRequest.Method
    /// In Hummingbird's terms: `/v1/config/**`, `/v1/versions/:version`.
    let path: String
    let access: Access
    let scope: Scope
    /// What it takes and gives.
    let operation: Operation
    let handler: Handler

    init(
        _ method: HTTPRequest.Method, _ path: String, _ access: Access, scope: Scope = .whole, _ operation: Operation,
        _ handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.scope = scope
        self.operation = operation
        self.handler = handler
    }

    /// The answer, if who asks may have it.
    @concurrent
    func respond(to request: Request, _ context: APIContext) async throws -> Response {
        try admit(context)
        try operation.check(request)
        return try await handler(request, context)
    }

    /// - Throws: 401 for nobody, 403 for somebody who may less.
    private func admit(_ context: APIContext) throws(Problem) {
        let requester = context.requester
        guard case .least(let role) = access else { return }
        guard let own = requester.role else {
            guard requester.method == .none else {
                throw Problem(.forbidden, "\(requester.actor) may nothing here: the socket is for the daemon's own user and root")
            }
            throw context.refusal ?? .unauthorized
        }
        guard own >= role else { throw Problem(.forbidden, "this takes the role \(role); \(requester.actor) has the role \(own)") }
        guard scope == .kept || requester.scope.isEverything else {
            throw Problem(.forbidden, "this is about the configuration as a whole; \(requester.actor) has \(requester.scope) only")
        }
    }
}

extension Router where Context == APIContext {
    func add(_ routes: [Route]) {
        for route in routes { on(RouterPath(route.path), method: route.method) { try await route.respond(to: $0, $1) } }
    }
}
