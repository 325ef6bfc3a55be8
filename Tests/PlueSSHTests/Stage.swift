import Foundation
import Logging
import PlueConfig
import PlueSSH
import Synchronization
import SystemPackage
import TestGround
import Testing

/// A server with a few commands, driven through its phases as the committer does it.
final class Stage: ServiceStage {
    let service: SSHServer
    let live = Live<SSHServer.Instance>()
    private let seen: Seen

    /// What has happened, as the server's handler and its events tell it.
    private final class Seen: Sendable {
        let events = Mutex<[SSHEvent]>([])
        let cancelled = Atomic<Int>(0)
        let running = Atomic<Int>(0)
        let refused = Atomic<Int>(0)
        let flooded = Atomic<Int>(0)
        let isEnough = Atomic<Bool>(false)
    }

    init() {
        let seen = Seen()
        self.seen = seen
        service = SSHServer(prompt: "plue> ", logger: quiet, onEvent: { event in seen.events.withLock { $0.append(event) } }) { command in
            seen.running.add(1, ordering: .sequentiallyConsistent)
            defer { seen.running.subtract(1, ordering: .sequentiallyConsistent) }
            do {
                return try await Self.carryOut(command, seen)
            } catch is CancellationError {
                seen.cancelled.add(1, ordering: .sequentiallyConsistent)
            } catch is SSHOutput.Closed {
                seen.refused.add(1, ordering: .sequentiallyConsistent)
            } catch {
                return 1
            }
            return 99
        }
    }

    private static func carryOut(_ command: SSHCommand, _ seen: Seen) async throws -> UInt8 {
        let number = command.words.dropFirst().first.flatMap { Int($0) } ?? 0
        switch command.words.first {
        case "say":
            try await command.output.write(command.words.dropFirst().map { "[\($0)]" }.joined() + "\n")
            return 0
        case "status": return UInt8(clamping: number)
        case "warn":
            try await command.output.write("out\n")
            try await command.output.write("err\n", to: .standardError)
            return 3
        case "who":
            try await command.output.write("\(command.actor) \(command.role) \(command.address)\(command.isTerminal ? " terminal" : "")\n")
            return 0
        case "bytes":
            // In pieces of all sizes.
            var (sent, size) = (0, 1)
            while sent < number {
                let place = sent % pattern.count
                let part = min(size, number - sent, pattern.count - place)
                try await command.output.write(pattern[place..<place + part])
                sent += part
                size = size * 7 % 100_003
            }
            return 0
        case "tick":
            for tick in 1...max(number, 1) {
                try await command.output.write("\(tick)\n")
                try await Task.sleep(for: .milliseconds(100))
            }
            return 5
        case "until":
            // Prints until the test says that it is enough.
            var tick = 0
            while !seen.isEnough.load(ordering: .sequentiallyConsistent) {
                tick += 1
                try await command.output.write("\(tick)\n")
                try await Task.sleep(for: .milliseconds(100))
            }
            try await command.output.write("end\n")
            return 5
        case "wait":
            try await command.output.write("waiting\n")
            try await Task.sleep(for: .seconds(600))
            return 0
        case "flood":
            while true {
                try await command.output.write([UInt8](repeating: 0x61, count: 65_536))
                seen.flooded.add(65_536, ordering: .sequentiallyConsistent)
            }
        default:
            try await command.output.write("unknown command\n", to: .standardError)
            return 127
        }
    }

    /// What `bytes` writes, over and over. Its length is prime, so nothing can be lost or doubled and look the same.
    private static let pattern = (0..<1_000_003).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 7) }

    /// So many bytes of what `bytes` writes.
    static func pattern(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count { bytes += pattern.prefix(count - bytes.count) }
        return bytes
    }

    var server: SSHServer { service }
    var port: Int { service.address?.port ?? 0 }
    var events: [SSHEvent] { seen.events.withLock { $0 } }
    /// How many commands run.
    var running: Int { seen.running.load(ordering: .sequentiallyConsistent) }
    /// How many commands were cancelled.
    var cancelled: Int { seen.cancelled.load(ordering: .sequentiallyConsistent) }
    /// How many commands could not write any more.
    var refused: Int { seen.refused.load(ordering: .sequentiallyConsistent) }

    /// Lets every `until` come to its end.
    func enough() { seen.isEnough.store(true, ordering: .sequentiallyConsistent) }
    /// How many bytes `flood` has written.
    var flooded: Int { seen.flooded.load(ordering: .sequentiallyConsistent) }

    /// Starts a server, and takes it down again however the body ends.
    static func run<Value>(
        _ scratch: Scratch, _ change: (inout SSHServerSettings) -> Void = { _ in }, _ body: (Stage) async throws -> Value
    ) async throws -> Value {
        try await Stage().run(scratch.settings(change), body)
    }
}
