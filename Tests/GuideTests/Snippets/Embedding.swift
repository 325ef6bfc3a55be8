// The code of README.md and of Documentation/GettingStartedEmbedding.md. It is compiled, and not run.
import Logging
import PlueConfig
import PlueLedger
import PlueSecrets
import PlueTesting
import ServiceLifecycle
import SystemPackage
import Testing

private enum Embedding {
    struct ServerSettings: Settings {
        var host = "127.0.0.1"
        var port = 8080
        var requestTimeout: Duration = .seconds(30)

        static let schema = Schema<Self> {
            Setting("host", \.host, .notEmpty, "Address the listener binds.")
            Setting("port", \.port, .required, .range(1...65535), "TCP port.")
            Setting("request_timeout", \.requestTimeout, .range(.seconds(1) ... .seconds(600)), "Longest a request may take.")
        }
    }

    struct AppSettings: Settings {
        var server = ServerSettings()

        static let schema = Schema<Self> { Section("server", \.server) }
    }

    static func start(_ logger: Logger) async throws {
        let manager = try await ConfigManager(AppSettings.self, directory: "/etc/app", environment: .production)
        manager.onChange { old, new in print("port \(old.server.port) → \(new.server.port)") }

        // First in the group, so that it stops last. It follows the files and SIGHUP while it runs.
        try await ServiceGroup(services: [manager], logger: logger).run()
    }

    static func reading(_ manager: ConfigManager<AppSettings>) async {
        // A copy of the whole: what is read from one copy belongs together.
        let settings = manager.current
        print(settings.server.host, settings.server.port)

        // On hot paths: waits for nobody, allocates nothing.
        let port = manager.read { $0.server.port }
        print(port)

        // The value now, then each that a commit changes.
        for await server in manager.updates(of: \.server) {
            print("requests may take \(server.requestTimeout)")
        }
    }

    static func changing(_ manager: ConfigManager<AppSettings>) async throws {
        // Written into the document that owns the setting, comments and order kept.
        switch try await manager.update(reason: "slow peers", { $0.server.requestTimeout = .seconds(60) }) {
        case .committed(let version, _): print("version \(version) is live")
        case .rejected(let attempt): print("refused: \(attempt.problem ?? "")")
        case .unchanged: print("it says so already")
        }

        // Taken back unless confirm() is called in time, also when the process ends meanwhile.
        var edits = Edits()
        edits.steps.append(.set(SettingKey(section: "server", name: "port"), to: .integer(8090)))
        _ = try await manager.apply(edits, reason: "another port", confirmWithin: .seconds(60))
        _ = try await manager.confirm()

        // Any kept version, as a new one.
        _ = try await manager.rollback(to: 1)

        // Only looked at.
        let report = await manager.validate("[server]\nport = 99999\n", as: .profile)
        for diagnostic in report.diagnostics { print(diagnostic.message) }
    }

    static func keeping(_ logger: Logger) async throws {
        let ledger = try Ledger(directory: "/var/lib/app", logger: logger)
        var options = ConfigManager<AppSettings>.Options()
        options.recorder = ledger
        options.startsFromLastGood = true
        let manager = try await ConfigManager(AppSettings.self, directory: "/etc/app", environment: .production, options: options)
        let newest = try await manager.history()
        print(newest.entries.count)
    }

    @Suite struct SchemaTests {
        @Test func schema() throws { try expectConsistent(AppSettings.self) }
    }
}
