import Foundation
import TestGround
import Testing

/// A daemon of one test, ended with it.
final class RunningDaemon: Sendable {
    let scratch: Scratch
    private let daemon: Process
    private let logPath: String

    var process: Int32 { daemon.processIdentifier }
    var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

    /// Starts on one document and waits until it answers.
    convenience init(_ text: String, in scratch: Scratch? = nil, _ variables: [String: String] = [:]) async throws {
        let scratch = try scratch ?? Scratch()
        try scratch.write(text, to: "config/development.ini")
        try await self.init(in: scratch, variables)
    }

    private let state: String

    /// - Parameters:
    ///   - state: The state directory inside the scratch.
    ///   - launcher: A shell's command that ends in `exec "$@"`, with which the daemon is started.
    init(
        in scratch: Scratch, _ variables: [String: String] = [:], arguments: [String] = [], state: String = "state",
        launcher: String? = nil
    ) async throws {
        self.scratch = scratch
        self.state = state
        logPath = scratch.path + "/log-\(UUID().uuidString)"
        try Data().write(to: URL(filePath: logPath))
        daemon = Process()
        let serve = ["serve", "--config-dir", scratch.path + "/config", "--state-dir", scratch.path + "/" + state] + arguments
        daemon.executableURL = URL(filePath: launcher == nil ? Binary.path : "/bin/sh")
        daemon.arguments = launcher.map { ["-c", $0, "sh", Binary.path] + serve } ?? serve
        daemon.environment = scratch.environment.merging(variables) { $1 }
        let log = try FileHandle(forWritingTo: URL(filePath: logPath))
        daemon.standardOutput = log
        daemon.standardError = log
        try daemon.run()
        // It says so once the first version is live; its socket answers before.
        try await eventually { self.log.contains("\nversion ") || self.log.hasPrefix("version ") || !daemon.isRunning }
        if !daemon.isRunning { Issue.record("the daemon ended: \(self.log)") }
    }

    deinit { if daemon.isRunning { kill(daemon.processIdentifier, SIGKILL) } }

    /// Saves the document as an editor does.
    func edit(_ text: String) throws { try scratch.write(text, to: "config/development.ini") }

    func plue(_ command: String, _ before: String = "", _ after: String = "") async throws -> (output: String, code: Int32) {
        try await scratch.run("\(before)plue \(command) --config-dir \(scratch.path)/config --state-dir \(scratch.path)/\(state)\(after)")
    }

    func status() async throws -> [String: Any] {
        let output = try await plue("status --format json").output
        return (try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [String: Any] ?? [:]
    }

    /// Where HTTP is served now, `127.0.0.1:40123`. During a hand-over the old address still listens for a moment.
    func address(on host: String = "127.0.0.1") async throws -> String? {
        // The system's table is not read in one moment: others' sockets come and go in it.
        var found: Set<String> = []
        try await eventually {
            found = listening
            return found.count == 1 && found.allSatisfy { $0.hasPrefix(host + ":") }
        }
        return found.first
    }

    /// The process's listening TCP sockets, found as `ss` finds them.
    private var listening: Set<String> {
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd")) ?? []
        let owned = Set(descriptors.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/fd/\($0)") })
        var listening = Set<String>()
        for line in ((try? String(contentsOfFile: "/proc/\(process)/net/tcp", encoding: .utf8)) ?? "").split(separator: "\n").dropFirst() {
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "0A", owned.contains("socket:[\(fields[9])]") else { continue }
            let parts = fields[1].split(separator: ":")
            guard parts.count == 2, let host = UInt32(parts[0], radix: 16), let port = UInt16(parts[1], radix: 16) else { continue }
            listening.insert("\(host & 255).\(host >> 8 & 255).\(host >> 16 & 255).\(host >> 24 & 255):\(port)")
        }
        return listening
    }

    /// Ends it as a service manager does.
    func stop() async throws -> Int32 {
        kill(process, SIGTERM)
        return await exit()
    }

    func exit() async -> Int32 {
        await withCheckedContinuation { done in
            Thread { [daemon] in
                daemon.waitUntilExit()
                done.resume(returning: daemon.terminationStatus)
            }.start()
        }
    }
}
