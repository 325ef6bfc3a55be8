import Foundation
import HTTPTypes
import Hummingbird
import PlueConfig
import PlueLedger

/// Tokens: made, listed and revoked by admins.
extension API {
    var tokenRoutes: [Route] {
        [
            Route(
                .get, "/v1/tokens", .admin,
                Operation(id: "listTokens", summary: "The API tokens, without what they are.", answer: .json("Tokens"))
            ) { _, _ in json(TokenAnswer.list(doorkeeper.tokens.tokens, at: Date())) },
            Route(
                .post, "/v1/tokens", .admin,
                Operation(
                    id: "createToken", summary: "A new API token, shown this once.", query: [.reason], body: .json("TokenWish"),
                    answer: .json("NewToken", status: 201), refusals: [409, 413, 415, 503])
            ) { request, context in try await createToken(request, context) },
            Route(
                .delete, "/v1/tokens/:name", .admin,
                Operation(
                    id: "revokeToken", summary: "Ends a token at once, with everything that goes on by it.", query: [.reason],
                    answer: .json("Revoked"), refusals: [404, 503])
            ) { request, context in try await revokeToken(request, context) },
        ]
    }

    private func createToken(_ request: Request, _ context: APIContext) async throws -> Response {
        let cause = cause(request, context)
        do {
            let wish = try TokenRequest(try await jsonBody(request), schema: manager.schema)
            let (token, stored) = try await doorkeeper.tokens.create(wish, by: cause)
            var response = json(TokenAnswer.created(token, stored))
            response.status = .created
            response.headers[.cacheControl] = "no-store"
            return response
        } catch let error as TokenRequest.Malformed {
            throw Problem(.badRequest, error.description)
        } catch let error as TokenBook.Refusal {
            throw Problem(.conflict, error.description)
        } catch let error as LedgerError {
            throw Problem(.serviceUnavailable, "no token is made that cannot be recorded: \(error)")
        }
    }

    private func revokeToken(_ request: Request, _ context: APIContext) async throws -> Response {
        let name = try context.parameters.require("name")
        do {
            guard try await doorkeeper.tokens.revoke(name, by: cause(request, context)) else {
                throw Problem(.notFound, "there is no token '\(VisibleText.of(String(name.prefix(64))))'")
            }
        } catch let error as LedgerError {
            throw Problem(.serviceUnavailable, "the token could not be revoked: \(error)")
        }
        return json(["revoked": .string(name)])
    }
}
