import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import PlueConfig

/// What a request asks beside the change itself: for which version, how often, for how long, from whom and why; and its body.
extension API {
    /// A change's body is a configuration at most.
    static let largestBody = 16 * 1_048_576

    /// Reads the body and does the work; once only for an `Idempotency-Key`, however often it is asked for.
    func once(
        _ request: Request, _ context: APIContext, _ work: @escaping @Sendable (ByteBuffer) async throws -> Response
    ) async throws -> Response {
        let bytes = try await bytes(of: request)
        guard let text = request.headers[named: "Idempotency-Key"] else { return try await work(bytes) }
        guard let key = IdempotentAnswers.Key(text, of: context.requester.actor, request: request, body: bytes) else {
            throw Problem(.badRequest, "an Idempotency-Key is 1 to 255 visible ASCII characters")
        }
        return try await idempotent.answer(key) { try await work(bytes) }
    }

    /// Who asks, and why.
    func cause(_ request: Request, _ context: APIContext) -> Cause {
        Cause(.api, actor: context.requester.actor, reason: request.parameter("reason") ?? "")
    }

    /// The version that `If-Match` names; `nil` for any.
    /// - Throws: 428 without one where it is needed; 400 for what is no version's tag.
    func requiredVersion(_ request: Request, isNeeded: Bool = true) throws(Problem) -> Int? {
        guard let tag = request.headers[.ifMatch] else {
            guard isNeeded else { return nil }
            throw Problem(.preconditionRequired, "a change names the version it was made for: If-Match: \"v42\", or * for any")
        }
        if tag == "*" { return nil }
        guard tag.hasPrefix("\"v"), tag.hasSuffix("\""), let version = Int(tag.dropFirst(2).dropLast()), version > 0,
            Self.tag(version) == tag, request.headers[values: .ifMatch].count == 1
        else {
            throw Problem(.badRequest, "If-Match is a version's tag, \"v42\", or *")
        }
        return version
    }

    /// - Throws: 412 when another version runs than the one that `If-Match` names.
    func checkVersion(_ request: Request) throws(Problem) {
        let running = manager.snapshot.version
        guard let expected = try requiredVersion(request, isNeeded: false), expected != running else { return }
        throw Problem(ConfigurationError.change(.stale(expected: expected, running: running)))
    }

    func confirmationTime(_ request: Request) throws(Problem) -> Duration? {
        guard let text = request.parameter("confirmWithin") else { return nil }
        guard let time = try? Duration(setting: .scalar(text)), ChangeRequest.confirmationTimes.contains(time) else {
            throw Problem(ConfigurationError.change(.confirmationTime))
        }
        return time
    }

    /// A body that has to be `application/json`.
    func jsonBody(_ request: Request) async throws -> JSONValue { try json(try await bytes(of: request), of: request) }

    func json(_ bytes: ByteBuffer, of request: Request) throws(Problem) -> JSONValue {
        guard try request.mediaType() == "application/json" else {
            throw Problem(.unsupportedMediaType, "the body is application/json")
        }
        return try ChangeBody.json(bytes)
    }

    /// The body, at most as large as a configuration may be.
    func bytes(of request: Request) async throws -> ByteBuffer {
        if let coding = request.headers[.contentEncoding], coding.lowercased() != "identity" {
            throw Problem(.unsupportedMediaType, "bodies are taken as they are, without a Content-Encoding")
        }
        do {
            return try await request.body.collect(upTo: Self.largestBody)
        } catch is NIOTooManyBytesError {
            throw Problem(.contentTooLarge, "the body is larger than 16 MiB")
        }
    }
}
