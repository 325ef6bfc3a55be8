import Foundation
import HTTPTypes
import Hummingbird
import PlueConfig
import PlueHTTP

/// Who is answered at all.
///
/// A browser can be made to send requests to this machine by any page it shows. What gives such a request away is its `Host`
/// (a name of the page's, rebound to loopback) or its `Origin`; both are looked at before anything else.
struct AccessMiddleware: RouterMiddleware {
    typealias Context = PeerRequestContext

    /// The names that are answered; this machine's own when there are none.
    let allowedHosts: @Sendable () -> [String]

    @concurrent
    func handle(
        _ request: Request, context: PeerRequestContext, next: @concurrent (Request, PeerRequestContext) async throws -> Response
    ) async throws -> Response {
        guard case .tcp(let address) = context.peer else { return try await next(request, context) }
        if request.uri.path == "/healthz" || request.uri.path == "/readyz" { return try await next(request, context) }
        guard isAllowed(host: request.head.authority) else {
            throw Problem(.misdirectedRequest, "this server does not answer to that Host")
        }
        let site = HTTPField.Name("Sec-Fetch-Site").flatMap { request.headers[$0] }
        if request.headers[.origin] != nil || site == "cross-site" || site == "same-site" {
            throw Problem(.forbidden, "requests from other sites are refused")
        }
        guard isLoopback(address) else { throw Problem(.unauthorized, "no token is configured, so only this machine is answered") }
        return try await next(request, context)
    }

    private func isAllowed(host authority: String?) -> Bool {
        guard let authority else { return false }
        let host = HostPort(authority)?.host ?? authority.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        let configured = allowedHosts()
        if !configured.isEmpty { return configured.contains { $0.caseInsensitiveCompare(host) == .orderedSame } }
        return IPAddress(host) != nil || ["localhost", ProcessInfo.processInfo.hostName.lowercased()].contains(host.lowercased())
    }

    private func isLoopback(_ address: String) -> Bool {
        guard let bytes = IPAddress(address)?.bytes else { return false }
        if bytes.count == 4 { return bytes[0] == 127 }
        // ::1, and IPv4's loopback as a dual-stack socket shows it (::ffff:127.0.0.1).
        let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? bytes[12] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
    }
}
