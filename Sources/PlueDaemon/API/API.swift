import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import PlueConfig
import PlueHTTP
import PlueLedger

/// Version 1 of the HTTP API: the same on the socket, where the system vouches for the user, and on TCP.
///
/// Each part of it has a file of its own, with its routes and what they do: the configuration, changes, documents, history, audit, and
/// what watches the daemon.
struct API: Sendable {
    let manager: ConfigManager<DaemonSettings>
    let fingerprints: Fingerprints
    let deployment: Deployment
    let ledger: Ledger
    let status: DaemonStatus
    let doorkeeper: Doorkeeper
    let approvals: Approvals
    let console: ConsoleAddress
    let events: EventHub
    let metrics: MetricsRegistry
    let answers = SnapshotAnswers()
    let idempotent = IdempotentAnswers()
    let verification = AuditVerification()

    var history: LedgerReader { ledger.reader }

    /// - Parameter console: Where the console is served, once it is.
    init(
        _ manager: ConfigManager<DaemonSettings>, of deployment: Deployment, ledger: Ledger, status: DaemonStatus, doorkeeper: Doorkeeper,
        approvals: Approvals, events: EventHub, metrics: MetricsRegistry, console: ConsoleAddress = ConsoleAddress()
    ) {
        self.manager = manager
        self.deployment = deployment
        self.ledger = ledger
        self.status = status
        self.doorkeeper = doorkeeper
        self.approvals = approvals
        self.console = console
        self.events = events
        self.metrics = metrics
        fingerprints = deployment.fingerprints()
    }

    /// What answers requests.
    func responder() -> some HTTPResponder<PeerRequestContext> {
        let routes = routes
        let router = Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ProblemMiddleware())
        router.add(middleware: SiteMiddleware { [manager] in manager.read { $0.server.allowedHosts } })
        router.add(middleware: AuthenticationMiddleware(doorkeeper: doorkeeper))
        router.add(middleware: DeploymentMiddleware(deployment: deployment))
        router.add(middleware: MethodMiddleware(routes))
        router.add(routes)
        return APIResponder(routes: router.buildResponder())
    }

    /// Every call there is, and who may make it.
    var routes: [Route] {
        let calls =
            configurationRoutes + changeRoutes + documentRoutes + historyRoutes + auditRoutes + statusRoutes + tokenRoutes + proposalRoutes
            + sessionRoutes
        let description = OpenAPI.document(
            of: calls + [Self.openAPIRoute { _, _ in Response(status: .ok) }], sections: manager.schema.sectionNames)
        let answer = StaticAnswer(description, mediaType: "application/json")
        return calls + [Self.openAPIRoute { request, _ in answer.response(to: request) }] + consoleRoutes
    }

    private static func openAPIRoute(_ handler: @escaping Route.Handler) -> Route {
        Route(
            .get, "/openapi.json", .viewer, scope: .kept,
            Operation(
                id: "getOpenAPI", summary: "This API as OpenAPI 3.1.", headers: [.ifNoneMatch], answer: .json("Object")), handler)
    }

    // MARK: - Form

    /// The parts of a path that a catch-all stands for.
    /// - Throws: 404 for what is no UTF-8 once it is decoded.
    func path(_ context: APIContext) throws(Problem) -> [String] {
        let parts = context.parameters.getCatchAll().map { $0.removingPercentEncoding }
        let decoded = parts.compactMap(\.self)
        guard decoded.count == parts.count else { throw Problem(.notFound, "the path is not text") }
        return decoded
    }

    func json(_ value: JSONValue, version: Int? = nil) -> Response {
        json(ByteBuffer(string: value.text() + "\n"), version: version)
    }

    func json(_ body: ByteBuffer, version: Int? = nil) -> Response {
        var response = Response(
            status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-cache"], body: ResponseBody(byteBuffer: body))
        if let version { response.headers[.eTag] = Self.tag(version) }
        return response
    }

    /// 304 for a client that has this version already.
    func notModified(_ request: Request, _ version: Int) -> Response? { Self.notModified(request, tag: Self.tag(version)) }

    static func notModified(_ request: Request, tag: String) -> Response? {
        guard let known = request.headers[.ifNoneMatch] else { return nil }
        // The usual case is told without taking the list apart.
        guard known == "*" || known == tag || known.split(separator: ",").contains(where: { Self.isSame($0, as: tag) }) else { return nil }
        return Response(status: .notModified, headers: [.eTag: tag])
    }

    /// A weak tag is as good where only contents are compared (RFC 9110 §13.1.2).
    private static func isSame(_ other: Substring, as tag: String) -> Bool {
        let other = other.trimmingCharacters(in: .whitespaces)
        return (other.hasPrefix("W/") ? String(other.dropFirst(2)) : other) == tag
    }

    /// One version, one tag, for the whole configuration.
    static func tag(_ version: Int) -> String { "\"v\(version)\"" }
}
