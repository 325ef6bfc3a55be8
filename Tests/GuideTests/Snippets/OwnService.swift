// The code of Documentation/YourOwnService.md that is not in Examples/EmbeddedService. It is compiled, and not run.
import Logging
import PlueConfig
import PlueTesting
import ServiceLifecycle
import Testing

private enum OwnService {
    struct PoolSettings: Settings {
        var port = 5432

        static let schema = Schema<Self> { Setting("port", \.port, "Port.") }
    }

    final class Pool: LiveService {
        func prepare(_ settings: PoolSettings, beside live: Int?) async throws -> Int { settings.port }
        func activate(_ next: Int) async -> Int? { nil }
        func verify(_ live: Int) async throws {}
        func retire(_ instance: Int) async {}
    }

    static func answers(on port: Int) async throws -> Bool { port > 0 }

    @Suite(.disabled("it is only to be compiled")) struct Conformance {
        let first = PoolSettings(), second = PoolSettings(), taken = PoolSettings()

        @Test(arguments: LiveServiceConformance<PoolSettings>.Check.allCases)
        func conforms(_ check: LiveServiceConformance<PoolSettings>.Check) async throws {
            let subject = LiveServiceConformance(first, second, impossible: taken) { settings in
                try await answers(on: settings.port)  // from outside, as a client would see it
            }
            try await subject.run(check, on: Pool())
        }
    }

    struct QueueSettings: Settings {
        var url = ""

        static let schema = Schema<Self> { Setting("url", \.url, "Where the queue is.") }
    }

    struct AppSettings: Settings {
        var queue = QueueSettings()

        static let schema = Schema<Self> { Section("queue", \.queue) }
    }

    struct QueueConsumer: ServiceLifecycle.Service {
        let url: String
        func run() async throws {}
        static func ping(_ url: String) async throws {}
    }

    static func restarting(_ manager: ConfigManager<AppSettings>, _ logger: Logger) throws {
        let consumer = RestartingService(logger: logger) { (settings: QueueSettings) in
            QueueConsumer(url: settings.url)
        } check: { settings in
            try await QueueConsumer.ping(settings.url)
        }
        try manager.register(consumer, for: \.queue)
    }
}
