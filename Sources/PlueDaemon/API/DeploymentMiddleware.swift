import HTTPTypes
import Hummingbird
import PlueConfig
import PlueHTTP
import SystemPackage

/// Refuses a request that is meant for another installation than this one.
///
/// A command line that is told an environment or a directory says so in these headers: with a wrong state directory it would
/// otherwise change what nobody meant.
struct DeploymentMiddleware: RouterMiddleware {
    typealias Context = APIContext

    let deployment: Deployment

    private static let environment = HTTPField.Name(Deployment.environmentHeader)
    private static let directory = HTTPField.Name(Deployment.directoryHeader)

    @concurrent
    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        // Where it is and what it runs is not for strangers.
        guard context.requester.role != nil else { return try await next(request, context) }
        let environment = Self.environment.flatMap { request.headers[$0] }
        let directory = Self.directory.flatMap { request.headers[$0] }
        guard environment ?? deployment.environment.rawValue == deployment.environment.rawValue,
            directory.map({ FilePath($0) == deployment.resolvedDirectory }) ?? true
        else {
            throw Problem(
                .conflict,
                "the daemon that answers runs \(deployment.environment) from \(deployment.resolvedDirectory); name its --state-dir, or leave -e and --config-dir out"
            )
        }
        return try await next(request, context)
    }
}
