import HTTPTypes
import Hummingbird
import PlueConfig
import PlueHTTP
import PlueLedger

/// Finds out who asks, once, before any route is looked at.
///
/// It refuses nobody by itself: what a call needs stands with its ``Route``. Only that there is nothing at a path is not told to
/// strangers. What goes on for long ends with the right to it.
struct AuthenticationMiddleware: RouterMiddleware {
    typealias Context = APIContext

    let doorkeeper: Doorkeeper

    @concurrent
    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        do throws(Problem) {
            context.requester = try doorkeeper.requester(of: request, context)
        } catch {
            context.requester = .nobody(at: context.peer.address)
            context.refusal = error
        }
        do {
            var response = try await next(request, context)
            if response.headers[.contentType] == "text/event-stream" {
                let grant = context.requester.grant
                response.body = response.body.map { part in
                    guard grant.isGood else { throw Problem.unauthorized }
                    return part
                }
            }
            return response
        } catch let error as any HTTPResponseError where context.requester.role == nil && error.status == .notFound {
            throw context.refusal ?? .unauthorized
        } catch let problem as Problem where problem.status == .forbidden && context.requester.method != .none {
            doorkeeper.note(
                AccessEvent(.denial, actor: context.requester.actor, address: context.requester.address, call: context.call))
            throw problem
        }
    }
}

extension APIContext {
    /// What is asked for, in the words of the route: `/v1/config/**`. What a client wrote does not get into the log.
    var call: String { endpointPath ?? "" }
}

extension Problem {
    /// Who asks has to say who they are.
    static var unauthorized: Problem {
        var problem = Problem(.unauthorized, "this needs a token: Authorization: Bearer plue_…")
        // RFC 6750 §3: no error code where nothing was shown.
        problem.headers[.wwwAuthenticate] = "Bearer realm=\"plue\""
        return problem
    }
}
