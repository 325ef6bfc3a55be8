import HTTPTypes
import Hummingbird

/// Answers for methods that a path does not have: 405 with those that it has, and `OPTIONS` with the same list.
///
/// Hummingbird's router answers 404 for both an unknown path and an unknown method.
struct MethodMiddleware: RouterMiddleware {
    typealias Context = APIContext

    private struct Entry {
        let segments: [Substring]
        let route: Route

        func matches(_ path: [Substring]) -> Bool {
            if segments.last == "**" {
                return path.count >= segments.count && zip(segments.dropLast(), path).allSatisfy(Self.matches)
            }
            return path.count == segments.count && zip(segments, path).allSatisfy(Self.matches)
        }

        private static func matches(_ pattern: Substring, _ text: Substring) -> Bool { pattern.hasPrefix(":") || pattern == text }
    }

    private let entries: [Entry]

    init(_ routes: [Route]) { entries = routes.map { Entry(segments: $0.path.split(separator: "/"), route: $0) } }

    @concurrent
    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as any HTTPResponseError where error.status == .notFound {
            let path = request.uri.path.split(separator: "/")
            let there = entries.filter { $0.matches(path) }
            // What there is, is not told to strangers.
            guard !there.isEmpty, context.requester.role != nil || there.contains(where: { $0.route.access == .anyone }) else {
                throw error
            }
            let allowed = allow(there.map(\.route.method))
            if request.method == .options { return Response(status: .noContent, headers: [.allow: allowed]) }
            var problem = Problem(.methodNotAllowed, "\(request.uri.path) takes \(allowed)")
            problem.headers[.allow] = allowed
            throw problem
        }
    }

    private func allow(_ methods: [HTTPRequest.Method]) -> String {
        var names = methods.map(\.rawValue)
        if names.contains("GET") { names.append("HEAD") }
        return (Set(names).sorted() + ["OPTIONS"]).joined(separator: ", ")
    }
}
