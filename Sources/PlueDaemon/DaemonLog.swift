import Foundation
public import Logging
import Synchronization

/// The daemon's log on standard error: lines for people or JSON for machines, both following `[logging]` while it runs.
public final class DaemonLog: Sendable {
    private let settings = Mutex(LoggingSettings())

    public init() {}

    public var logger: Logger {
        Logger(label: "plue") { _ in Handler(log: self) }
    }

    /// Takes level and format over.
    public func follow(_ settings: LoggingSettings) {
        self.settings.withLock { $0 = settings }
    }

    fileprivate var level: Logger.Level {
        Logger.Level(rawValue: settings.withLock { $0.level.rawValue }) ?? .info
    }

    fileprivate func write(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) {
        let time = Date().formatted(.iso8601.year().month().day().timeZone(separator: .omitted).time(includingFractionalSeconds: true))
        let line: String
        if settings.withLock({ $0.format }) == .json {
            var json: [String: String] = metadata.mapValues { "\($0)" }
            json["time"] = time
            json["level"] = level.rawValue
            json["message"] = message
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            line = (try? encoder.encode(json)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        } else {
            let fields = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            line = "\(time) \(level.rawValue) \(Self.visible(message + fields))"
        }
        // One write a line, so that lines of several threads do not mix.
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    /// Control characters could forge lines or drive a terminal.
    private static func visible(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "·" : $0 }))
    }

    private struct Handler: LogHandler {
        let log: DaemonLog
        var metadata: Logger.Metadata = [:]
        // Live for everybody: the level is the configuration's, not one logger's.
        var logLevel: Logger.Level {
            get { log.level }
            set {}
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.write(event.level, "\(event.message)", metadata.merging(event.metadata ?? [:]) { $1 })
        }
    }
}
