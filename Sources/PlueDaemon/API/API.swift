import Foundation
import HTTPTypes
public import Hummingbird
import NIOCore
public import PlueConfig
public import PlueHTTP

/// Version 1 of the HTTP API, as far as it reads, with reload for the socket's owner.
///
/// On the socket the system vouches for the user; on TCP, until tokens exist, only this machine is answered, and only reads.
public struct API: Sendable {
    let manager: ConfigManager<DaemonSettings>
    let fingerprints: Fingerprints

    public init(_ manager: ConfigManager<DaemonSettings>, fingerprints: Fingerprints) {
        self.manager = manager
        self.fingerprints = fingerprints
    }

    /// What answers requests.
    public func responder() -> some HTTPResponder<PeerRequestContext> {
        let router = Router(context: PeerRequestContext.self)
        router.add(middleware: ProblemMiddleware())
        router.add(middleware: AccessMiddleware { [manager] in manager.read { $0.server.allowedHosts } })
        router.get("/healthz") { _, _ in plain(.ok, "ok") }
        router.get("/readyz") { _, _ in
            let state = await manager.status.state
            return plain(state == .degraded ? .serviceUnavailable : .ok, state.rawValue)
        }
        router.get("/v1/status") { _, _ in json(StatusJSON.status(await manager.status)) }
        router.get("/v1/config") { request, _ in configuration(request) }
        router.get("/v1/config/**") { request, context in
            try setting(at: context.parameters.getCatchAll().map(String.init), request)
        }
        router.post("/v1/reload") { request, context in try await reload(request, context) }
        router.patch("/v1/config") { request, context in try await apply(request, context) }
        router.post("/v1/plan") { request, context in try await plan(request, context) }
        router.post("/v1/confirm") { request, context in try await confirm(request, context) }
        router.post("/v1/rollback") { request, context in try await rollback(request, context) }
        router.get("/v1/events") { _, _ in EventStream.response(of: manager) }
        return router.buildResponder()
    }

    // MARK: - Answers

    private func configuration(_ request: Request) -> Response {
        let snapshot = manager.snapshot
        if let unchanged = notModified(request, snapshot.version) { return unchanged }
        let value =
            request.uri.queryParameters["origins"] == "true"
            ? ConfigurationJSON.origins(snapshot.settings, version: snapshot.version, fingerprints)
            : ConfigurationJSON.values(snapshot.settings, version: snapshot.version, fingerprints)
        return json(value, version: snapshot.version)
    }

    private func setting(at path: [String], _ request: Request) throws -> Response {
        let snapshot = manager.snapshot
        if let unchanged = notModified(request, snapshot.version) { return unchanged }
        if let setting = snapshot.settings.setting(at: path) {
            return json(ConfigurationJSON.setting(setting, version: snapshot.version, fingerprints), version: snapshot.version)
        }
        let section = path.joined(separator: ".")
        let settings = snapshot.settings.settings(in: section)
        guard !settings.isEmpty else { throw Problem(.notFound, "there is no setting or section '\(path.joined(separator: "/"))'") }
        return json(ConfigurationJSON.section(settings, named: section, version: snapshot.version, fingerprints), version: snapshot.version)
    }

    private func reload(_ request: Request, _ context: PeerRequestContext) async throws -> Response {
        let cause = try cause(request, context)
        return try await answer { try await manager.reload(cause, isForced: request.uri.queryParameters["force"] == "true") }
    }

    private func plain(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n")))
    }

    // MARK: - Form

    func json(_ value: JSONValue, version: Int? = nil) -> Response {
        var response = Response(
            status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-cache"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: value.text() + "\n")))
        if let version { response.headers[.eTag] = Self.tag(version) }
        return response
    }

    private func notModified(_ request: Request, _ version: Int) -> Response? {
        guard let known = request.headers[.ifNoneMatch] else { return nil }
        let tags = known.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces).replacing("W/", with: "") }
        guard known == "*" || tags.contains(Self.tag(version)) else { return nil }
        return Response(status: .notModified, headers: [.eTag: Self.tag(version)])
    }

    /// One version, one tag, for the whole configuration.
    static func tag(_ version: Int) -> String { "\"v\(version)\"" }
}
