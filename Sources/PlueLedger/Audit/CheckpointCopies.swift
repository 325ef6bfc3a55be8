import Foundation
import Logging
import Synchronization
import SystemPackage

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The places besides the database that checkpoints are kept in: files, and syslog.
///
/// They are written on a queue of their own. Another disk may be slow or gone, and no change may wait for it: the database has the
/// checkpoint, and the next one covers what a lost one did.
final class CheckpointCopies: Sendable {
    private let directory: FilePath
    private let logger: Logger
    private let queue = DispatchQueue(label: "plue.audit.copies", qos: .utility)
    private let waiting = Mutex(Waiting())

    private struct Waiting {
        var copies: [Copy] = []
        var lost = 0
        var isScheduled = false
    }

    private struct Copy {
        let note: String
        let exportFile: FilePath?
        let usesSyslog: Bool
    }

    /// So many checkpoints wait for a place that does not take them; older ones are given up, since a newer one covers them.
    private static let most = 256

    init(directory: FilePath, logger: Logger) {
        self.directory = directory
        self.logger = logger
    }

    /// Has checkpoints kept as soon as may be.
    func keep(_ notes: [String], by policy: AuditPolicy) {
        guard !notes.isEmpty else { return }
        let isNew = waiting.withLock { waiting in
            waiting.copies += notes.map { Copy(note: $0, exportFile: policy.exportFile, usesSyslog: policy.usesSyslog) }
            let over = max(0, waiting.copies.count - Self.most)
            waiting.copies.removeFirst(over)
            waiting.lost += over
            defer { waiting.isScheduled = true }
            return !waiting.isScheduled
        }
        if isNew { queue.async { [self] in write() } }
    }

    /// Waits until what is there is kept, but not for a place that does not answer.
    func finish(within seconds: Int) {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        if done.wait(timeout: .now() + .seconds(seconds)) == .timedOut {
            logger.error("checkpoints could not be kept in time", metadata: ["count": "\(waiting.withLock(\.copies.count))"])
        }
    }

    private func write() {
        let (copies, lost) = waiting.withLock { waiting in
            defer { waiting = Waiting() }
            return (waiting.copies, waiting.lost)
        }
        if lost > 0 { logger.error("checkpoints were not kept: their places did not answer", metadata: ["count": "\(lost)"]) }
        append(copies, to: directory.appending("audit.checkpoints"))
        for path in Set(copies.compactMap(\.exportFile)) { append(copies.filter { $0.exportFile == path }, to: path) }
        for copy in copies where copy.usesSyslog { Self.syslog(copy.note) }
    }

    private func append(_ copies: [Copy], to path: FilePath) {
        // An empty line first, whether or not a line was begun: what a full disk left half-written does not become one with what follows.
        let text = "\n\n" + copies.map { $0.note + "\n" }.joined()
        do throws(LedgerError) {
            try StateFile.append(Array(text.utf8), to: path)
        } catch {
            logger.error("a checkpoint could not be kept", metadata: ["path": "\(path)", "problem": "\(error)"])
        }
    }

    /// One line: syslog has no others.
    private static func syslog(_ note: String) {
        let line = "plue audit checkpoint " + note.split(separator: "\n").joined(separator: " ")
        withVaList([]) { arguments in
            // The text is an argument of its own form: base64, digits and a name, without a percent sign.
            line.replacing("%", with: "%%").withCString { vsyslog(LOG_NOTICE | LOG_AUTHPRIV, $0, arguments) }
        }
    }
}
