package import Logging
import Synchronization

/// A logger that says nothing.
package let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Everything that was logged.
package final class Log: Sendable {
    /// One line: its level, and its text with what is attached to it.
    package struct Line: Sendable {
        package let level: Logger.Level
        package let text: String
    }

    private let kept = Mutex<[Line]>([])

    package init() {}

    package var lines: [Line] { kept.withLock { $0 } }
    package var text: String { lines.map(\.text).joined(separator: "\n") }
    package var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: Log
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.kept.withLock { $0.append(Line(level: event.level, text: "\(event.message) \(event.metadata ?? [:])")) }
        }
    }
}
