import Foundation
import PlueConfig
import PlueSSH
import SystemPackage
import TestGround
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

@Suite("Limits of an SSH server", .timeLimit(.minutes(2)))
struct LimitTests {
    @Test("one client more than may log in is refused in words; raising the limit lets it in, lowering it ends nobody")
    func maxConnections() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch, { $0.limits.maxConnections = 2 }) { stage async throws in
                let sessions = try (0..<2).map { _ in try scratch.start(stage.port, "until") }
                try await eventually("both run") { sessions.allSatisfy { !$0.output.isEmpty } }
                let third = try await scratch.ssh(stage.port, "status", "1")
                #expect(third.status == 255)
                #expect(third.errors.contains("too many connections: 2 clients are logged in"))
                try await stage.commit(scratch.settings { $0.limits.maxConnections = 3 })
                #expect(try await scratch.ssh(stage.port, "status", "1").status == 1)
                try await stage.commit(scratch.settings { $0.limits.maxConnections = 1 })
                #expect(try await scratch.ssh(stage.port, "status", "1").status == 255)
                stage.enough()
                for session in sessions { #expect(try await session.result().status == 5) }
                try await eventually("there is room again") { stage.server.connectionCount == 0 }
                #expect(try await scratch.ssh(stage.port, "status", "1").status == 1)
            }
        }
    }

    @Test("who is silent for too long is shown out: at a prompt, and before the login; a command that runs is no silence")
    func idle() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch, { $0.limits.idleTimeout = .seconds(1) }) { stage async throws in
                let waiting = try scratch.start(stage.port, "wait")
                try await eventually("it runs") { !waiting.output.isEmpty }
                let sitting = try scratch.start(stage.port, options: ["-tt"])
                let silent = try await blocking { [port = stage.port] in try Socket(port) }
                let ended = try await sitting.result()
                #expect(ended.status == 255)
                #expect(ended.errors.contains("there was nothing to do for too long"))
                #expect(try await blocking { silent.isClosedByPeer() })
                // Without a word for even longer.
                #expect(waiting.isRunning)
                // It counts for those who are there.
                try await stage.commit(scratch.settings())
                let patient = try scratch.start(stage.port)
                try await eventually("both are there") { stage.server.connectionCount == 2 }
                try await stage.commit(scratch.settings { $0.limits.idleTimeout = .milliseconds(500) })
                #expect(try await patient.result().status == 255)
                #expect(waiting.isRunning)
                waiting.kill()
            }
        }
    }

    @Test("who does not take what a command writes is shown out too, and the command hears of it")
    func stalled() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch, { $0.limits.idleTimeout = .seconds(2) }) { stage async throws in
                let deaf = try Process("ssh", scratch.arguments(stage.port, key: "ada") + ["flood"], pace: .seconds(600))
                try await eventually("the command runs") { stage.running == 1 }
                try await eventually("it was ended") { stage.running == 0 && stage.server.connectionCount == 0 }
                #expect(stage.refused + stage.cancelled == 1)
                deaf.kill()
            }
        }
    }

    @Test("a login takes no longer than it may")
    func loginTimeout() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch, { $0.limits.loginTimeout = .seconds(1) }) { stage async throws in
                let client = try await blocking { [port = stage.port] in try Socket(port) }
                // Never silent, and never done.
                let ended = try await blocking {
                    for byte in Array("SSH-2.0-".utf8) + Array(repeating: UInt8(ascii: "x"), count: 100) {
                        guard client.send([byte]) else { return true }
                        usleep(50_000)
                    }
                    return client.isClosedByPeer()
                }
                #expect(ended)
                #expect(try await scratch.ssh(stage.port, "status", "1").status == 1)
            }
        }
    }

    @Test("a client may open so many sessions and no more")
    func sessions() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch, { $0.limits.maxSessions = 4 }) { stage async throws in
                #expect(try await hostile("sessions", stage, [scratch.file("ada").string]) == ["4"])
                try await eventually("their commands were cancelled") { stage.cancelled == 4 }
            }
        }
    }

    @Test("the end of the server lets commands finish, within the drain timeout")
    func drains() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch, { $0.limits.drainTimeout = .seconds(8) }) { stage async throws in
                let port = stage.port
                let (short, long) = (try scratch.start(port, "tick", "5"), try scratch.start(port, "wait"))
                try await eventually("both run") { !short.output.isEmpty && !long.output.isEmpty }
                let live = try #require(stage.instance)
                let duration = await ContinuousClock().measure { await stage.server.retire(live) }
                #expect(duration >= .seconds(8))
                #expect(duration < .seconds(20))
                #expect(try await short.result().status == 5)
                let ended = try await long.result()
                #expect(ended.status == 255)
                #expect(ended.errors.contains("the server is stopping"))
                #expect(await refuses(port))
                #expect(stage.server.address == nil)
                try await eventually("the command was cancelled") { stage.cancelled == 1 }
            }
        }
    }

    @Test("a retirement that is cancelled closes within a second or so, though a command runs")
    func cancelledRetirement() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let session = try scratch.start(stage.port, "wait")
                try await eventually("it runs") { !session.output.isEmpty }
                let live = try #require(stage.instance)
                let retirement = Task { await stage.server.retire(live) }
                try await Task.sleep(for: .milliseconds(100))
                retirement.cancel()
                let duration = await ContinuousClock().measure { await retirement.value }
                // The default drain is 30 seconds.
                #expect(duration < .seconds(5))
                #expect(try await session.result().status == 255)
            }
        }
    }
}
