import Foundation
import PlueConfig
import SystemPackage
import TestGround
import Testing

@testable import PlueSSH

@Suite("What is left of an SSH server", .timeLimit(.minutes(2)), .serialized)
struct LeakTests {
    @Test("thirty changes with clients leave one listener, no other descriptor, and at the end none, nor the thread")
    func descriptors() async throws {
        try await Scratch.with { scratch async throws in
            try await scratch.makeKey("host", type: "ecdsa")
            let own = OwnAddress()
            let ports = try (0..<3).map { _ in try freePort() }
            func settings(_ number: Int) -> SSHServerSettings {
                scratch.settings {
                    $0.endpoint = .init(host: own.host, port: ports[number % ports.count])
                    $0.hostKeys = number.isMultiple(of: 2) ? [] : [SSHKeyFile(scratch.file("host"))]
                    $0.limits.maxConnections = 50 + number
                }
            }
            let stage = Stage()
            try await stage.change(to: settings(0))
            for number in 1...30 {
                let old = try #require(await stage.change(to: settings(number)))
                #expect(try await scratch.ssh(stage.port, "status", "1", host: own.host).status == 1)
                // A client that never logs in, and one that leaves in the middle.
                _ = try await blocking { [port = stage.port] in try Socket(port, host: own.host).send(Array("SSH-2.0-x\r\n".utf8)) }
                await stage.retireAtOnce(old)
            }
            try await eventually("only the listener is left") { try own.descriptors == 1 && stage.server.halfOpenCount == 0 }
            #expect(stage.server.isThreadRunning)
            await stage.retireAtOnce(try #require(stage.instance))
            try await eventually("nothing is left") { try own.descriptors == 0 }
            try await eventually("the thread has ended") { !stage.server.isThreadRunning }
            // It starts again where it is needed.
            try await stage.commit(settings(1))
            #expect(try await scratch.ssh(stage.port, "status", "1", host: own.host).status == 1)
            await stage.retireAtOnce(try #require(stage.instance))
        }
    }

    @Test("what was prepared and retired, over and over, leaves nothing; retiring twice is as good as once")
    func prepared() async throws {
        try await Scratch.with { scratch async throws in
            let own = OwnAddress()
            try await Stage.run(scratch, { $0.endpoint.host = own.host }) { stage async throws in
                for _ in 0..<20 {
                    let port = try freePort()
                    let unused = try await stage.prepare(scratch.settings { $0.endpoint = .init(host: own.host, port: port) })
                    for _ in 0..<2 { await stage.retireAtOnce(unused) }
                }
                // The looks from outside have left a moment later.
                try await eventually("only the listener is left") { try own.descriptors == 1 }
                let old = try #require(
                    await stage.change(
                        to: scratch.settings {
                            $0.endpoint.host = own.host; $0.banner = "x"
                        }))
                for _ in 0..<2 { await stage.server.retire(old) }
                #expect(try await scratch.ssh(stage.port, "status", "1", host: own.host).status == 1)
            }
            try await eventually("nothing is left") { try own.descriptors == 0 }
        }
    }
}
