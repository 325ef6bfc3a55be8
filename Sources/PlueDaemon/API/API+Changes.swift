import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import PlueConfig
import PlueHTTP

/// What changes the configuration: on the socket only, where the system vouches for the user.
extension API {
    /// A change's body is a configuration at most.
    private static let largestBody = 16 * 1_048_576

    /// `PATCH /v1/config`: one transaction.
    func apply(_ request: Request, _ context: PeerRequestContext) async throws -> Response {
        let cause = try cause(request, context)
        let version = try requiredVersion(request)
        let time = try confirmationTime(request)
        let edits = try await edits(request)
        let change = ChangeRequest(
            edits, cause: cause, ifVersion: version, confirmWithin: time,
            replacesPending: request.uri.queryParameters["replacePending"] == "true")
        return try await answer { try await manager.apply(change) }
    }

    /// `POST /v1/plan`: what the same body would do.
    func plan(_ request: Request, _ context: PeerRequestContext) async throws -> Response {
        _ = try cause(request, context)
        let edits = try await edits(request, mayBeEmpty: true)
        switch await manager.plan(edits) {
        case .success(let change):
            let plan = change.planned.plan
            return json(
                PlanAnswer.json(
                    changes: plan.changes, beside: change.version, taking: plan.services, of: manager.serviceNames,
                    writes: change.writes, warnings: plan.warnings, fingerprints), version: change.version)
        case .failure(let rejection): throw Problem(rejection)
        }
    }

    /// `POST /v1/confirm`: the version that waits stays.
    func confirm(_ request: Request, _ context: PeerRequestContext) async throws -> Response {
        let cause = try cause(request, context)
        do {
            let version = try await manager.confirm(cause)
            return json(["version": .integer(version)], version: version)
        } catch {
            throw Problem(error)
        }
    }

    /// `POST /v1/rollback {"version":41}`
    func rollback(_ request: Request, _ context: PeerRequestContext) async throws -> Response {
        let cause = try cause(request, context)
        let version = try requiredVersion(request)
        let time = try confirmationTime(request)
        guard let number = try await body(request)["version"]?.integer, number > 0 else {
            throw Problem(.badRequest, "the body names the version: {\"version\":41}")
        }
        return try await answer {
            try await manager.rollback(
                to: number, cause: cause, ifVersion: version, confirmWithin: time,
                replacesPending: request.uri.queryParameters["replacePending"] == "true")
        }
    }

    // MARK: - The answer

    func answer(_ change: () async throws -> ReloadOutcome) async throws -> Response {
        do {
            let outcome = try await change()
            let answer = try ChangeAnswer.json(outcome, confirmation: await manager.status.confirmation)
            return json(answer, version: answer["version"]?.integer)
        } catch let error as ConfigurationError {
            throw Problem(error)
        } catch let error as RejectedChange {
            throw Problem(error.attempt)
        }
    }

    // MARK: - The question

    private func onSocket(_ context: PeerRequestContext) throws {
        guard case .unix = context.peer else {
            throw Problem(.forbidden, "changes are asked for on the socket, by the daemon's own user")
        }
    }

    /// Who asks, and why.
    func cause(_ request: Request, _ context: PeerRequestContext) throws -> Cause {
        try onSocket(context)
        let reason = request.uri.queryParameters["reason"].map { String($0) } ?? ""
        guard reason.utf8.count <= 1000 else { throw Problem(.badRequest, "a reason has at most 1000 bytes") }
        return Cause(.api, actor: context.peer.description, reason: reason)
    }

    /// The version that `If-Match` names; `nil` for any.
    private func requiredVersion(_ request: Request) throws -> Int? {
        guard let tag = request.headers[.ifMatch] else {
            throw Problem(.preconditionRequired, "a change names the version it was made for: If-Match: \"v42\", or * for any")
        }
        if tag == "*" { return nil }
        guard tag.hasPrefix("\"v"), tag.hasSuffix("\""), let version = Int(tag.dropFirst(2).dropLast()) else {
            throw Problem(.badRequest, "If-Match is a version's tag, \"v42\", or *")
        }
        return version
    }

    private func confirmationTime(_ request: Request) throws -> Duration? {
        guard let text = request.uri.queryParameters["confirmWithin"] else { return nil }
        guard let time = try? Duration(setting: .scalar(String(text))) else {
            throw Problem(.badRequest, "confirmWithin is a duration such as 60s")
        }
        return time
    }

    private func edits(_ request: Request, mayBeEmpty: Bool = false) async throws -> Edits {
        let type = request.headers[.contentType]?.split(separator: ";").first.map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
        if mayBeEmpty, type == nil { return Edits() }
        guard type == EditsJSON.mediaType else {
            throw Problem(.unsupportedMediaType, "a change's body is \(EditsJSON.mediaType)")
        }
        do {
            return try EditsJSON.edits(from: try await body(request))
        } catch let error as EditsJSON.Malformed {
            throw Problem(.badRequest, error.description)
        }
    }

    private func body(_ request: Request) async throws -> JSONValue {
        let bytes: ByteBuffer
        do {
            bytes = try await request.body.collect(upTo: Self.largestBody)
        } catch is NIOTooManyBytesError {
            throw Problem(.contentTooLarge, "the body is larger than 16 MiB")
        }
        do {
            return try JSONValue(parsing: Array(bytes.readableBytesView), name: "the body")
        } catch {
            throw Problem(.badRequest, "the body is not JSON")
        }
    }
}
