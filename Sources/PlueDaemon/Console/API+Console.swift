import Hummingbird

/// The console: a page that does what it does through the API, as anybody could.
extension API {
    /// Its files hold nothing that is worth a sign-in; the page asks for one. They are no calls of the API, so `/openapi.json` has none.
    var consoleRoutes: [Route] {
        ConsoleFile.all.map { file in
            let isPage = file.name == "index.html"
            return Route(
                .get, isPage ? "/" : "/assets/\(file.name)", .anyone, scope: .kept,
                Operation(id: "console-\(file.name)", summary: "A file of the console.", answer: .text)
            ) { request, _ in file.response(to: request) }
        }
    }
}
