import HTTPTypes
import Hummingbird
import NIOCore
import OrderedCollections
import PlueConfig
import PlueHTTP

/// An error as RFC 9457 wants it: `application/problem+json`, with the diagnostics as `errors`.
struct Problem: Error {
    let status: HTTPResponse.Status
    let detail: String
    var members: JSONValue = [:]
    /// What the response says beside its body.
    var headers: HTTPFields = [:]

    init(_ status: HTTPResponse.Status, _ detail: String) {
        self.status = status
        self.detail = detail
    }

    /// A candidate that was refused: 422 when it is invalid, 500 when a service refused and all was rolled back, 503 when that
    /// failed as well.
    init(_ attempt: Attempt) {
        detail = attempt.problem ?? "the candidate was refused"
        members["phase"] = .string(attempt.phase.rawValue)
        if attempt.outcome == .degraded {
            status = .serviceUnavailable
            members["rolledBack"] = false
        } else if attempt.phase == .record {
            // The history cannot be written: nothing changes until it can.
            status = .serviceUnavailable
            members["rolledBack"] = true
        } else if attempt.outcome == .reverted || attempt.diagnostics.isEmpty {
            status = .internalServerError
            members["rolledBack"] = true
        } else {
            status = .unprocessableContent
            members["errors"] = .array(attempt.diagnostics.map(DiagnosticJSON.framed))
        }
        if let service = attempt.services.first(where: { $0.problem != nil }) { members["service"] = .string(service.name) }
    }

    /// A candidate that is invalid.
    init(_ rejection: Rejection) {
        status = .unprocessableContent
        detail = rejection.diagnostics.first { $0.severity == .error }?.message ?? "the candidate was refused"
        members["phase"] = .string(rejection.phase.rawValue)
        members["errors"] = .array(rejection.diagnostics.map(DiagnosticJSON.framed))
    }

    /// A change that was refused before its contents were looked at.
    init(_ error: ConfigurationError) {
        detail = error.description
        guard case .change(let refusal) = error else {
            status = .serviceUnavailable
            return
        }
        switch refusal {
        case .stale(_, let running):
            status = .preconditionFailed
            members["version"] = .integer(running)
        case .awaitingConfirmation(let confirmation):
            status = .conflict
            members["confirm"] = StatusJSON.confirmation(confirmation)
        case .drift, .nothingToConfirm, .otherEnvironment, .expired: status = .conflict
        case .notRecorded: status = .serviceUnavailable
        case .notWritten(let refusal):
            status = refusal.isConflict ? .conflict : refusal.isOfPermission ? .forbidden : .internalServerError
            members["rolledBack"] = true
        case .notPermitted: status = .forbidden
        case .needsApproval, .otherPlan: status = .conflict
        case .noSuchVersion: status = .notFound
        case .confirmationTime: status = .badRequest
        case .busy: status = .conflict
        }
    }

    var response: Response {
        var body: JSONValue = [
            "type": "about:blank", "title": .string(status.reasonPhrase), "status": .integer(status.code), "detail": .string(detail),
        ]
        for (name, value) in members.members { body[name] = value }
        var fields: HTTPFields = [.contentType: "application/problem+json", .cacheControl: "no-store"]
        fields.append(contentsOf: headers)
        return Response(
            status: status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: body.text() + "\n")))
    }
}

/// Gives every error the same form, the router's own included.
struct ProblemMiddleware: RouterMiddleware {
    typealias Context = APIContext

    @concurrent
    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let problem as Problem {
            return problem.response
        } catch let error as any HTTPResponseError {
            var problem = Problem(
                error.status,
                error.status == .notFound ? "there is nothing at \(VisibleText.of(request.uri.path))" : error.status.reasonPhrase)
            // That the connection ends after it, for instance.
            if let error = error as? HTTPError { problem.headers = error.headers }
            return problem.response
        }
    }
}
