import Foundation
import HTTPTypes
import Hummingbird
import OrderedCollections
import PlueConfig
import PlueHTTP
import PlueLedger

/// Signing in to the console, and out of it.
extension API {
    var sessionRoutes: [Route] {
        [
            Route(
                .post, "/v1/session", .anyone,
                Operation(
                    id: "signIn", summary: "A session for a browser, for a token or a code of 'plue console'.", body: .json("SignIn"),
                    answer: .json("Identity"), refusals: [401, 413, 415, 429])
            ) { request, context in try await signIn(request, context) },
            Route(
                .get, "/v1/session", .viewer, scope: .kept,
                Operation(id: "getIdentity", summary: "Who asks, and what they may.", answer: .json("Identity"))
            ) { _, context in identity(of: context.requester) },
            Route(
                .delete, "/v1/session", .viewer, scope: .kept,
                Operation(id: "signOut", summary: "Ends the browser's session.", answer: .nothing)
            ) { request, context in signOut(request, context) },
            Route(
                .post, "/v1/console-code", .admin,
                Operation(
                    id: "issueConsoleCode", summary: "A single-use code for the console; on the socket only.", answer: .json("ConsoleCode"),
                    refusals: [503])
            ) { _, context in try consoleCode(context) },
        ]
    }

    /// `POST /v1/session {"token":"…"}` or `{"code":"…"}`
    private func signIn(_ request: Request, _ context: APIContext) async throws -> Response {
        guard case .tcp(let address) = context.peer else {
            throw Problem(.badRequest, "on the socket nobody has to sign in")
        }
        // A form of another site cannot send application/json.
        let body = try await jsonBody(request)
        guard body.members.count == 1, let shown = body["token"]?.string ?? body["code"]?.string else {
            throw Problem(.badRequest, "the body is {\"token\":\"…\"} or {\"code\":\"…\"}")
        }
        let owner =
            body["code"] != nil
            ? doorkeeper.codes.redeem(shown)
            : AccessToken(shown).flatMap { doorkeeper.tokens.requester(showing: $0, from: address) }
        guard let owner else { throw doorkeeper.failedLogin(context) }
        let (secret, requester) = doorkeeper.sessions.open(for: owner)
        doorkeeper.note(AccessEvent(.signIn, actor: owner.actor, address: address, call: context.call))
        var response = identity(of: requester)
        response.headers[.setCookie] = SessionCookie.header(secret, isSecure: context.isSecure)
        return response
    }

    private func signOut(_ request: Request, _ context: APIContext) -> Response {
        if let secret = SessionCookie.secret(in: request.headers[.cookie], isSecure: context.isSecure) { doorkeeper.sessions.close(secret) }
        return Response(
            status: .noContent,
            headers: [.cacheControl: "no-store", .setCookie: SessionCookie.header(nil, isSecure: context.isSecure)])
    }

    /// `{"actor":"token:ci","role":"viewer","sections":null,"expires":"2026-11-24T13:00:00Z"}`
    private func identity(of requester: Requester) -> Response {
        var response = json([
            "actor": .string(requester.actor), "role": requester.role.map { .string($0.rawValue) } ?? .null,
            "sections": TokenAnswer.sections(requester.scope.sections), "expires": TokenAnswer.time(requester.grant.expires),
        ])
        response.headers[.cacheControl] = "no-store"
        return response
    }

    /// `POST /v1/console-code`: `{"url":"https://…/#code=…","code":"…","expires":"…"}`
    private func consoleCode(_ context: APIContext) throws -> Response {
        guard context.requester.method == .socket else {
            throw Problem(.forbidden, "codes are given on the socket, where the system vouches for who asks")
        }
        guard let url = console.url else { throw Problem(.serviceUnavailable, "the console is not served yet") }
        let expires = Date().addingTimeInterval(ConsoleCodes.lifetime)
        let code = doorkeeper.codes.issue(for: context.requester)
        var response = json(["url": .string("\(url)#code=\(code)"), "code": .string(code), "expires": TokenAnswer.time(expires)])
        response.headers[.cacheControl] = "no-store"
        return response
    }
}
