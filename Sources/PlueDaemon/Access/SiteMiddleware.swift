import Foundation
import HTTPTypes
import Hummingbird
import PlueConfig
import PlueHTTP

/// Which sites' requests are answered at all.
///
/// A browser can be made to send requests to this machine by any page it shows. What gives such a request away is its `Host`
/// (a name of the page's, rebound to loopback), its `Origin` or its `Sec-Fetch-Site`; they are looked at before anything else.
struct SiteMiddleware: RouterMiddleware {
    typealias Context = APIContext

    /// The names that are answered; this machine's own when there are none.
    let allowedHosts: @Sendable () -> [String]

    @concurrent
    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard case .tcp = context.peer else { return try await next(request, context) }
        if request.uri.path == "/healthz" || request.uri.path == "/readyz" { return try await next(request, context) }
        guard isAllowed(host: request.head.authority) else {
            throw Problem(.misdirectedRequest, "this server does not answer to that Host")
        }
        guard isOfOwnSite(request, isSecure: context.isSecure) else { throw Problem(.forbidden, "requests from other sites are refused") }
        return try await next(request, context)
    }

    private static let fetchSite = HTTPField.Name("Sec-Fetch-Site")
    private static let fetchMode = HTTPField.Name("Sec-Fetch-Mode")
    private static let fetchDestination = HTTPField.Name("Sec-Fetch-Dest")

    /// Whether nothing says that a page of somebody else's sent it. Programs say nothing; browsers say so with everything that changes
    /// something, and the newer ones always.
    private func isOfOwnSite(_ request: Request, isSecure: Bool) -> Bool {
        for origin in request.headers[values: .origin] {
            let scheme = isSecure ? ["https"] : ["http", "https"]
            guard let end = origin.range(of: "://"), scheme.contains(origin[..<end.lowerBound].lowercased()),
                origin[end.upperBound...].lowercased() == request.head.authority?.lowercased()
            else { return false }
        }
        func field(_ name: HTTPField.Name?) -> String? { name.flatMap { request.headers[$0] } }
        switch field(Self.fetchSite) {
        case nil, "same-origin", "none": return true
        // To follow a link to the console does nothing but show it; it may not be shown in a frame.
        default:
            return request.method == .get && request.uri.path == "/" && field(Self.fetchMode) == "navigate"
                && field(Self.fetchDestination) == "document"
        }
    }

    private func isAllowed(host authority: String?) -> Bool {
        guard let authority else { return false }
        let host = HostPort(authority)?.host ?? authority.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        let configured = allowedHosts()
        if !configured.isEmpty { return configured.contains { $0.caseInsensitiveCompare(host) == .orderedSame } }
        return IPAddress(host) != nil || ["localhost", ProcessInfo.processInfo.hostName.lowercased()].contains(host.lowercased())
    }
}
