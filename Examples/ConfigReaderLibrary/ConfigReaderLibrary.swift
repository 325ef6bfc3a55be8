import Configuration
import Foundation
import Logging
import PlueConfig
import SystemPackage

// MARK: - A library that has never heard of Plue

/// A client as somebody else wrote it: it takes its settings from swift-configuration's `ConfigReader`.
struct RetryingClient {
    private let config: ConfigReader

    init(config: ConfigReader) { self.config = config }

    /// One consistent look: both values are of the same version.
    var policy: String {
        let snapshot = config.snapshot()
        return "\(snapshot.int(forKey: "maxRetries", default: 1)) retries, \(snapshot.double(forKey: "retryDelay", default: 0.1)) s apart"
    }
}

// MARK: - The program that uses it under Plue

struct ClientSettings: Settings {
    var maxRetries = 3
    var retryDelay: Duration = .milliseconds(500)

    static let schema = Schema<Self> {
        Setting("max_retries", \.maxRetries, .range(0...10), "How often a request is tried again.")
        Setting("retry_delay", \.retryDelay, .range(.zero ... .seconds(60)), "How long to wait before.")
    }
}

struct AppSettings: Settings {
    var client = ClientSettings()

    static let schema = Schema<Self> { Section("client", \.client) }
}

@main struct ConfigReaderLibrary {
    static func main() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "plue-example-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try Data("[client]\nmax_retries = 5\n".utf8).write(to: directory.appending(path: "development.ini"))
        var options = ConfigManager<AppSettings>.Options()
        options.logger = Logger(label: "example") { _ in SwiftLogNoOpLogHandler() }

        let manager = try await ConfigManager(
            AppSettings.self, directory: FilePath(directory.path), environment: .development, options: options)
        let client = RetryingClient(config: ConfigReader(provider: manager.provider).scoped(to: "client"))
        try await manager.start()
        print("at the start: \(client.policy)")

        _ = try await manager.update(reason: "the peer is slow today") {
            $0.client.maxRetries = 8
            $0.client.retryDelay = .seconds(2)
        }
        print("after a change: \(client.policy)")

        let outcome = try await manager.update(reason: "a mistake") { $0.client.maxRetries = 1000 }
        if case .rejected(let attempt) = outcome { print("refused: \(attempt.problem ?? "")") }
        print("as before: \(client.policy)")
    }
}
