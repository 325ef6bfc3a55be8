import Foundation
import Logging
import PlueConfig
import ServiceLifecycle
import Synchronization
import SystemPackage

// MARK: - What the program is told

struct PhraseSettings: Settings {
    var file: FilePath = "phrases.txt"

    static let schema = Schema<Self> {
        Setting("file", \.file, .required, .readable, "A phrase on each line.")
    }
}

struct AppSettings: Settings {
    var phrases = PhraseSettings()

    static let schema = Schema<Self> { Section("phrases", \.phrases) }
}

// MARK: - The service

/// A list of phrases that follows its setting: another list is read and looked through before anybody sees it.
final class Phrases: LiveService {
    private let live = Mutex<[String]?>(nil)

    /// What the rest of the program uses.
    var current: [String] { live.withLock { $0 ?? [] } }

    func prepare(_ settings: PhraseSettings, beside live: [String]?) async throws -> [String] {
        let text = String(decoding: try SystemFiles().read(settings.file), as: UTF8.self)
        let phrases = text.split(separator: "\n").map(String.init)
        if phrases.isEmpty { throw ServiceRefusal("\(settings.file) holds no phrase") }
        return phrases
    }

    func activate(_ next: [String]) async -> [String]? {
        live.withLock { live in
            defer { live = next }
            return live
        }
    }

    func verify(_ live: [String]) async throws {}
    func retire(_ instance: [String]) async {}
}

// MARK: - The program

@main
struct EmbeddedService {
    static func main() async throws {
        // Your program has its own: ConfigManager(AppSettings.self, directory: "/etc/app", environment: .production).
        let directory = try FilePath(exampleDirectory())
        defer { try? FileManager.default.removeItem(atPath: directory.string) }
        let logger = Logger(label: "example") { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = .error
            return handler
        }
        var options = ConfigManager<AppSettings>.Options()
        options.logger = logger

        let manager = try await ConfigManager(AppSettings.self, directory: directory, environment: .development, options: options)
        let phrases = Phrases()
        try manager.register(phrases, for: \.phrases)
        try await manager.start()

        // The manager first, so that it stops last. It follows the files and SIGHUP while it runs.
        try await ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: manager),
                    .init(
                        service: Demonstration(manager: manager, phrases: phrases, directory: directory),
                        successTerminationBehavior: .gracefullyShutdownGroup),
                ], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        ).run()
    }
}

/// Changes the configuration while the program runs, once well and once badly.
struct Demonstration: Service {
    let manager: ConfigManager<AppSettings>
    let phrases: Phrases
    let directory: FilePath

    func run() async throws {
        show("at the start")
        try await change(to: "evening.txt")
        try await change(to: "empty.txt")
    }

    /// As somebody does who saves the file, or asks for it through an API.
    private func change(to name: String) async throws {
        let file = directory.appending(name)
        switch try await manager.update(reason: "a demonstration", { $0.phrases.file = file }) {
        case .committed(let version, _): show("version \(version) is live")
        case .rejected(let attempt): show("refused, because \(attempt.problem ?? "")")
        case .unchanged: show("nothing changed")
        }
    }

    private func show(_ what: String) {
        print("\(what)\n    file = \(manager.current.phrases.file.lastComponent?.string ?? ""), phrases: \(phrases.current)")
    }
}

/// A configuration and three lists, in a temporary directory.
private func exampleDirectory() throws -> String {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("plue-example-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let files = [
        "morning.txt": "good morning\nslept well?\n", "evening.txt": "good evening\n", "empty.txt": "",
        "development.ini": "[phrases]\nfile = \(directory.path)/morning.txt\n",
    ]
    for (name, text) in files { try Data(text.utf8).write(to: directory.appendingPathComponent(name)) }
    return directory.path
}
