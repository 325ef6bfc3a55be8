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

@Suite("What an SSH server does not use up", .timeLimit(.minutes(2)))
struct ExhaustionTests {
    @Test("after a flood, with clients that only sit there, the server uses no processor time")
    func idle() async throws {
        // In a process of its own: the time of all of it is measured.
        await #expect(processExitsWith: .success) {
            try await Scratch.with { scratch async throws in
                try await Stage.run(scratch, { $0.limits.maxHalfOpen = 4 }) { stage async throws in
                    let port = stage.port
                    let (sitting, waiting) = (try scratch.start(port), try scratch.start(port, "wait"))
                    try await eventually("both are there") { stage.running == 1 && stage.server.connectionCount == 2 }
                    let flood = try (0..<60).map { _ in try Socket(port) }
                    try await eventually("it has come") { stage.server.halfOpenCount == 4 }
                    for socket in flood { socket.close() }
                    try await eventually("it has gone") { stage.server.halfOpenCount == 0 }
                    try await Task.sleep(for: .milliseconds(500))
                    let before = clock()
                    try await Task.sleep(for: .seconds(2))
                    let used = Double(clock() - before) / Double(CLOCKS_PER_SEC)
                    try #require(used < 0.1, "\(used) s of processor time")
                    for client in [sitting, waiting] { client.kill() }
                }
            }
        }
    }

    @Test("clients wait, the processor does not, and they are served when there are some again")
    func descriptors() async throws {
        // In a process of its own: the limit counts for all of it.
        await #expect(processExitsWith: .success) {
            try await Scratch.with { scratch async throws in
                let port = try freePort()
                let stage = Stage()
                let next = try await stage.prepare(scratch.settings { $0.endpoint.port = port })
                // The system has accepted it, and the server not yet.
                let client = try Socket(port)
                var limit = rlimit()
                getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                let lowest = open("/dev/null", O_RDONLY)
                close(lowest)
                var tight = rlimit(rlim_cur: rlim_t(lowest), rlim_max: limit.rlim_max)
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &tight)
                await stage.activate(next)
                let before = clock()
                try await Task.sleep(for: .seconds(2))
                let used = Double(clock() - before) / Double(CLOCKS_PER_SEC)
                let wasSilent = client.receive(within: 0) == nil
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                try #require(wasSilent)
                try #require(used < 0.5, "\(used) s of processor time")
                let greeting = try #require(client.receive())
                try #require(String(decoding: greeting, as: UTF8.self).hasPrefix("SSH-2.0-"))
                try #require(try await scratch.ssh(port, "status", "1").status == 1)
                await stage.retireAtOnce(next)
            }
        }
    }
}
