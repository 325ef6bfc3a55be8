import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import PlueConfig

/// How things stand: for people, for probes, for Prometheus, and as it happens.
extension API {
    var statusRoutes: [Route] {
        [
            Route(.get, "/healthz", .anyone, Operation(id: "health", summary: "Whether the process answers.", answer: .text)) { _, _ in
                plain(.ok, "ok")
            },
            Route(
                .get, "/readyz", .anyone,
                Operation(id: "readiness", summary: "Whether what runs is what a version says.", answer: .text, refusals: [503])
            ) { _, _ in
                let state = await manager.status.state
                // It may be asked while the services come up.
                guard manager.snapshot.version > 0 else { throw Problem(.serviceUnavailable, "the first version is not live yet") }
                if state == .degraded { throw Problem(.serviceUnavailable, "what runs is not what any version says") }
                return plain(.ok, state.rawValue)
            },
            Route(
                .get, "/v1/status", .viewer, scope: .kept,
                Operation(id: "getStatus", summary: "What runs, what was last tried, what waits.", answer: .json("Status"))
            ) { _, context in json(Self.status(await events.status, within: context.requester.scope)) },
            Route(
                .get, "/v1/services", .viewer, scope: .kept,
                Operation(id: "listServices", summary: "How each service stands.", answer: .json("Services"))
            ) { _, _ in
                let status = await events.status
                return json(["version": status["version"] ?? .null, "services": status["services"] ?? []])
            },
            Route(
                .get, "/v1/events", .viewer,
                Operation(
                    id: "streamEvents", summary: "Events as they happen: state, version, attempt, confirm.",
                    headers: [.lastEventID], answer: .events)
            ) { request, context in events.response(to: request, of: context.requester) },
            Route(
                .get, "/metrics", .viewer, scope: .kept,
                Operation(id: "getMetrics", summary: "Figures for Prometheus; never a setting's value.", answer: .text)
            ) { _, _ in
                Response(
                    status: .ok, headers: [.contentType: PrometheusText.mediaType, .cacheControl: "no-store"],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: await metrics.text())))
            },
        ]
    }

    /// How it stands, without what is said of settings that are outside: a refusal's words name any.
    private static func status(_ status: JSONValue, within scope: SectionScope) -> JSONValue {
        guard !scope.isEverything else { return status }
        var status = status
        if var attempt = status["lastAttempt"], attempt != .null {
            for name in ["problem", "diagnostics", "services", "reason"] { attempt[name] = nil }
            status["lastAttempt"] = attempt
        }
        let waiting = status["pendingRestart"]?.elements ?? []
        status["pendingRestart"] = .array(waiting.filter { $0.string.flatMap { SettingKey($0) }.map(scope.covers) ?? false })
        return status
    }

    private func plain(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n")))
    }
}
