import Hummingbird
import Logging
import PlueConfig
import PlueHTTP
import ServiceLifecycle
import SystemPackage

struct ServerSettings: Settings {
    var host = "127.0.0.1"
    var port = 8080
    var maxConnections = 1000

    static let schema = Schema<Self> {
        Setting("host", \.host, .notEmpty, "Address the listener binds.")
        Setting("port", \.port, .required, .range(1...65535), "TCP port.")
        Setting("max_connections", \.maxConnections, .range(1...100_000), "Most connections at once.")
    }
}

struct AppSettings: Settings {
    var server = ServerSettings()
    var greeting = GreetingSettings()

    static let schema = Schema<Self> {
        Section("server", \.server)
        Section("greeting", \.greeting)
    }
}

struct GreetingSettings: Settings {
    var text = "hello"

    static let schema = Schema<Self> { Setting("text", \.text, .length(1...80), "What visitors read.") }
}

@main struct EmbeddedServer {
    static func main() async throws {
        let logger = Logger(label: "embedded-server") { StreamLogHandler.standardError(label: $0) }
        let directory = FilePath(CommandLine.arguments.dropFirst().first ?? "config")
        let manager = try await ConfigManager(AppSettings.self, directory: directory, environment: .development)

        let router = Router(context: PeerRequestContext.self)
        router.get("/") { _, _ in manager.read { $0.greeting.text } + "\n" }

        let http = HTTPServer(router.buildResponder(), logger: logger)
        try manager.register(http, following: ["server"], named: "http") { settings in
            var limits = HTTPServerSettings.Limits()
            limits.maxConnections = settings.server.maxConnections
            return HTTPServerSettings(endpoint: .tcp(host: settings.server.host, port: settings.server.port), limits: limits)
        }

        // The manager brings the server up, follows the files and SIGHUP, and takes the server down at the end.
        try await ServiceGroup(services: [manager], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger).run()
    }
}
