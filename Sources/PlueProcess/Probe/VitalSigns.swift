import Dispatch
import Foundation
import PlueConfig
import SystemPackage

/// What has to be so, seen from outside, for a daemon to count as up: it takes connections, and its process is alive.
struct VitalSigns: Sendable {
    let endpoints: [Endpoint]
    let pidFile: FilePath?

    /// Nothing is known of the daemon.
    var isEmpty: Bool { endpoints.isEmpty && pidFile == nil }

    private static let pause: Duration = .milliseconds(10)

    /// What is not so; `nil` when the daemon is up. Blocks.
    private func problem() -> String? {
        if let pidFile, let problem = Self.problem(ofProcessIn: pidFile) { return problem }
        for endpoint in endpoints {
            if let problem = endpoint.problem(within: 500) { return problem }
        }
        return nil
    }

    /// Waits until the daemon is up, and stays so for a while: a signal is answered by the daemon's old self for some milliseconds,
    /// which then may die of it.
    /// - Returns: What was not so at the end of the time; `nil` when the daemon is up.
    func wait(within limit: Duration, heldFor settling: Duration) async -> String? {
        if isEmpty { return nil }
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        var upSince: ContinuousClock.Instant?
        while true {
            let problem = await offPool { self.problem() }
            let now = clock.now
            if problem == nil {
                let since = upSince ?? now
                if now >= since + settling { return nil }
                upSince = since
            } else {
                upSince = nil
            }
            if Task.isCancelled { return "it was not waited for, because the change was given up" }
            if let problem, now >= deadline { return problem }
            // A few looks are enough to see that it stays up: each costs sshd a process.
            try? await Task.sleep(for: problem == nil ? max(settling / 4, Self.pause) : Self.pause)
        }
    }

    /// A process that ended and was not reaped still has a number that can be signaled: its state tells.
    private static func problem(ofProcessIn pidFile: FilePath) -> String? {
        guard let bytes = try? SystemFiles().read(pidFile, limit: 64) else { return "there is no \(pidFile)" }
        let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let pid = Int32(text), pid > 1 else { return "\(pidFile) holds no process number" }
        return isAlive(pid) ? nil : "process \(pid) of \(pidFile) is not alive"
    }

    private static func isAlive(_ pid: Int32) -> Bool {
        #if os(Linux)
        // The fourth word after the name, which may hold blanks and parentheses: `123 (na me) S …`.
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let state = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].dropFirst(2).first
        else { return false }
        return state != "Z" && state != "X"
        #else
        return kill(pid, 0) == 0 || errno == EPERM
        #endif
    }
}
