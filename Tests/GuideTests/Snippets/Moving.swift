// The code of Documentation/MovingToPlue.md, and the server of Documentation/GettingStartedEmbedding.md. It is compiled, and not run.
import Configuration
import ConfigurationINI
import Hummingbird
import Logging
import PlueConfig
import PlueHTTP
import PlueProcess
import ServiceLifecycle
import SystemPackage

private enum Moving {
    struct ServerSettings: Settings {
        var host = "127.0.0.1"
        var port = 8080

        static let schema = Schema<Self> {
            Setting("host", \.host, "Address the listener binds.")
            Setting("port", \.port, .range(1...65535), "TCP port.")
        }
    }

    struct AppSettings: Settings {
        var server = ServerSettings()

        static let schema = Schema<Self> { Section("server", \.server) }
    }

    struct Client {
        init(config: ConfigReader) {}
    }

    static func readers(_ manager: ConfigManager<AppSettings>) {
        let config = ConfigReader(provider: manager.provider)
        let client = Client(config: config.scoped(to: "client"))
        _ = client
    }

    static func hangup(_ logger: Logger) async throws {
        let manager = try await ConfigManager(AppSettings.self, directory: "/etc/app", environment: .production)
        manager.onChange { old, new in
            if old.server != new.server { logger.notice("the server's settings are others now") }
        }
        try await ServiceGroup(services: [manager], logger: logger).run()
    }

    static func server(_ manager: ConfigManager<AppSettings>, _ logger: Logger) throws {
        let router = Router(context: PeerRequestContext.self)
        router.get("/healthz") { _, _ in "ok" }
        let http = HTTPServer(router.buildResponder(), logger: logger)
        try manager.register(http, following: ["server"], named: "http") { settings in
            HTTPServerSettings(endpoint: .tcp(host: settings.server.host, port: settings.server.port))
        }
    }
}

extension Moving.ServerSettings: Equatable {}
