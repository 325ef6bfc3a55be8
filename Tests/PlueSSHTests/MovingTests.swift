import Foundation
import PlueConfig
import PlueSSH
import SystemPackage
import TestGround
import Testing

@Suite("An SSH server whose address and host keys change", .timeLimit(.minutes(2)))
struct MovingTests {
    @Test("ten sessions that print all the while finish unbroken while the port moves three times")
    func sessionsLiveOn() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let sessions = try (0..<10).map { _ in try scratch.start(stage.port, "until") }
                for session in sessions { session.endInput() }
                try await eventually("all print") { sessions.allSatisfy { !$0.output.isEmpty } }
                for _ in 0..<3 {
                    let (from, to) = (stage.port, try freePort())
                    try await stage.commit(scratch.settings { $0.endpoint.port = to })
                    #expect(stage.port == to)
                    #expect(await refuses(from))
                    #expect(try await scratch.ssh(to, "status", "8").status == 8)
                }
                #expect(sessions.allSatisfy { $0.isRunning })
                let seen = sessions.map { $0.output.count }
                try await eventually("all print still") { zip(sessions, seen).allSatisfy { $0.output.count > $1 } }
                stage.enough()
                for session in sessions {
                    let result = try await session.result()
                    let ticks = result.output.split(separator: "\n")
                    #expect(ticks.dropLast().map(String.init) == ticks.indices.dropLast().map { "\($0 + 1)" })
                    #expect(ticks.last == "end")
                    #expect(result.status == 5, "\(result.errors)")
                }
            }
        }
    }

    @Test("who comes to the old port while it hands over is served")
    func handsOver() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let (former, next) = (stage.port, try freePort())
                let old = try #require(await stage.change(to: scratch.settings { $0.endpoint.port = next }))
                async let retired: Void = stage.server.retire(old)
                #expect(try await greeting(of: former)?.hasPrefix("SSH-2.0-Plue") == true)
                await retired
                #expect(await refuses(former))
            }
        }
    }

    @Test("a host change moves too, also between one address and all of them on the same port")
    func movesHost() async throws {
        try await Scratch.with { scratch async throws in
            let port = try freePort()
            try await Stage.run(scratch, { $0.endpoint.port = port }) { stage async throws in
                for host in ["0.0.0.0", "127.0.0.1", "::", "::1", "127.0.0.1"] {
                    try await stage.commit(scratch.settings { $0.endpoint = .init(host: host, port: port) })
                    let client = host.contains(":") ? "::1" : "127.0.0.1"
                    #expect(try await scratch.ssh(port, "status", "9", host: client).status == 9, "on \(host)")
                }
            }
        }
    }

    @Test("a port that another program has is refused by name, and the old one goes on")
    func occupied() async throws {
        try await Scratch.with { scratch async throws in
            let squatter = try Squatter(port: try freePort())
            try await Stage.run(scratch) { stage async throws in
                let session = try scratch.start(stage.port, "until")
                let refusal = await #expect(throws: ServiceRefusal.self) {
                    try await stage.prepare(scratch.settings { $0.endpoint.port = squatter.port })
                }
                #expect(refusal?.description == "port \(squatter.port) is already in use on 127.0.0.1 by another program")
                #expect(try await scratch.ssh(stage.port, "status", "2").status == 2)
                stage.enough()
                #expect(try await session.result().status == 5)
            }
        }
    }

    @Test(
        "an address that cannot be had is refused by name",
        arguments: [
            ("192.0.2.1", 0, "host 192.0.2.1 is not an address of this machine"),
            ("no-such-host.invalid", 0, "host 'no-such-host.invalid' cannot be resolved"),
            ("127.0.0.1", 80_000, "there is no port 80000"),
        ])
    func impossible(host: String, port: Int, problem: String) async throws {
        try await Scratch.with { scratch async throws in
            let refusal = await #expect(throws: ServiceRefusal.self) {
                try await Stage().prepare(scratch.settings { $0.endpoint = .init(host: host, port: port) })
            }
            #expect(refusal?.description.hasPrefix(problem) == true, "\(refusal?.description ?? "")")
        }
    }

    @Test("going back brings the old port back, with every session it had")
    func reverts() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let (first, other) = (stage.port, try freePort())
                let session = try scratch.start(first, "until")
                try await eventually("it prints") { !session.output.isEmpty }
                let next = try await stage.prepare(scratch.settings { $0.endpoint.port = other })
                let old = try #require(await stage.activate(next))
                let second = stage.port
                await stage.activate(old)
                try await stage.server.verify(old)
                await stage.server.retire(next)
                #expect(stage.port == first)
                #expect(await refuses(second))
                #expect(try await scratch.ssh(first, "status", "3").status == 3)
                stage.enough()
                #expect(try await session.result().status == 5)
            }
        }
    }

    @Test("an instance of old that is retired late leaves the socket to a change that may still be swapped back")
    func retiredLate() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let (first, port, other) = (try #require(stage.instance), stage.port, try freePort())
                try await stage.change(to: scratch.settings { $0.limits.maxConnections = 7 })
                let second = try #require(stage.instance)
                try await stage.change(to: scratch.settings { $0.endpoint.port = other })
                let third = try #require(stage.instance)
                await stage.retireAtOnce(first)
                await stage.activate(second)
                await stage.retireAtOnce(third)
                #expect(stage.port == port)
                #expect(try await scratch.ssh(port, "status", "8").status == 8)
            }
        }
    }

    @Test("a port can be returned to at once, while the listener that had it still hands over")
    func returns() async throws {
        try await Scratch.with { scratch async throws in
            let ports = [try freePort(), try freePort()]
            try await Stage.run(scratch, { $0.endpoint.port = ports[0] }) { stage async throws in
                let old = try #require(await stage.change(to: scratch.settings { $0.endpoint.port = ports[1] }))
                async let first: Void = stage.server.retire(old)
                let replaced = try #require(await stage.change(to: scratch.settings { $0.endpoint.port = ports[0] }))
                async let second: Void = stage.server.retire(replaced)
                #expect(try await scratch.ssh(ports[0], "status", "1").status == 1)
                _ = await (first, second)
                #expect(try await scratch.ssh(ports[0], "status", "1").status == 1)
            }
        }
    }

    @Test("host keys change on the same port: the next client sees the new ones, a session goes on")
    func hostKeys() async throws {
        try await Scratch.with { scratch async throws in
            for (name, type) in [("host1", "ed25519"), ("host2", "ed25519"), ("host3", "ecdsa"), ("host4", "rsa")] {
                try await scratch.makeKey(name, type: type)
            }
            func key(_ name: String) -> SSHKeyFile { SSHKeyFile(scratch.file(name)) }
            try await Stage.run(scratch, { $0.hostKeys = [key("host1")] }) { stage async throws in
                let port = stage.port
                #expect(try await scanned(port) == Set([try scratch.publicKey("host1")]))
                let session = try scratch.start(port, "until")
                try await eventually("it prints") { !session.output.isEmpty }
                try await stage.commit(scratch.settings { $0.hostKeys = [key("host2"), key("host3"), key("host4")] })
                #expect(stage.port == port)
                #expect(try await scanned(port) == Set(try ["host2", "host3", "host4"].map { try scratch.publicKey($0) }))
                let print = try await run("ssh-keygen", "-l", "-f", scratch.file("host2.pub").string).output.split(separator: " ")[1]
                #expect(stage.server.hostKeyFingerprints.first == String(print))
                stage.enough()
                #expect(try await session.result().status == 5)
            }
        }
    }

    @Test("without a host key one is made, for its owner alone, and found again")
    func madeHostKey() async throws {
        try await Scratch.with { scratch async throws in
            let name = "ssh_host_ed25519_key"
            var first: Set<String> = []
            for _ in 0..<2 {
                try await Stage.run(scratch) { stage async throws in
                    let found = try await scanned(stage.port)
                    #expect(found.count == 1)
                    if first.isEmpty { first = found }
                    #expect(found == first)
                }
                let mode = try FileManager.default.attributesOfItem(atPath: scratch.file(name).string)[.posixPermissions] as? Int
                #expect(mode == 0o600)
            }
            // The real ssh-keygen reads it, and nothing else was left there.
            #expect(try await run("ssh-keygen", "-y", "-f", scratch.file(name).string).output.hasPrefix(first.first ?? "?"))
            let left = try FileManager.default.contentsOfDirectory(atPath: scratch.path.string)
            #expect(Set(left) == ["ada", "ada.pub", "authorized_keys", name])
        }
    }

    @Test("two that make the host key at the same time have the same one")
    func madeTogether() async throws {
        try await Scratch.with { scratch async throws in
            let stages = (0..<8).map { _ in Stage() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for stage in stages { group.addTask { try await stage.change(to: scratch.settings()) } }
                try await group.waitForAll()
            }
            #expect(Set(stages.map(\.server.hostKeyFingerprints)).count == 1)
            for stage in stages { await stage.retireAtOnce(try #require(stage.instance)) }
        }
    }

    @Test("what was prepared and is not needed is gone at once")
    func discards() async throws {
        try await Scratch.with { scratch async throws in
            let port = try freePort()
            try await Stage.run(scratch) { stage async throws in
                let unused = try await stage.prepare(scratch.settings { $0.endpoint.port = port })
                #expect(try await greeting(of: port, within: 300) == nil)
                await stage.server.retire(unused)
                #expect(await refuses(port))
                #expect(try await scratch.ssh(stage.port, "status", "1").status == 1)
            }
        }
    }

    @Test("disabling lets a command finish, ends who only sits there, and frees the port; enabling brings it back")
    func disables() async throws {
        try await Scratch.with { scratch async throws in
            let port = try freePort()
            try await Stage.run(scratch, { $0.endpoint.port = port }) { stage async throws in
                let working = try scratch.start(port, "until")
                let sitting = try scratch.start(port)
                try await eventually("both are there") { !working.output.isEmpty && stage.server.connectionCount == 2 }
                let old = try #require(await stage.change(to: scratch.settings { $0.isEnabled = false }))
                async let retired: Void = stage.server.retire(old)
                try await eventually("the port is free") { await refuses(port) }
                try await eventually("who sat there is gone") { stage.server.connectionCount == 1 }
                stage.enough()
                await retired
                let finished = try await working.result()
                #expect(finished.status == 5, "\(finished)")
                let ended = try await sitting.result()
                #expect(ended.status == 255)
                #expect(ended.errors.contains("the server is stopping"))
                #expect(stage.server.address == nil)
                try await stage.commit(scratch.settings { $0.endpoint.port = port })
                #expect(try await scratch.ssh(port, "status", "6").status == 6)
            }
        }
    }

    @Test("what changes says whether clients notice")
    func action() throws {
        let scratch = try Scratch()
        let settings = scratch.settings { $0.endpoint.port = 2222 }
        func changed(_ change: (inout SSHServerSettings) -> Void) -> SSHServerSettings {
            var settings = settings
            change(&settings)
            return settings
        }
        #expect(settings.action(to: settings) == .none)
        #expect(settings.action(to: changed { $0.banner = "x" }) == .live)
        #expect(settings.action(to: changed { $0.hostKeys = [SSHKeyFile("/x")] }) == .live)
        #expect(settings.action(to: changed { $0.endpoint.port = 2223 }) == .swap)
        #expect(settings.action(to: changed { $0.isEnabled = false }) == .swap)
        #expect(
            changed { $0.isEnabled = false }.action(
                to: changed {
                    $0.isEnabled = false; $0.endpoint.port = 1
                }) == .none)
        let file = SSHKeyFile("/x", holding: Secret([1]))
        #expect(
            changed { $0.authorizedKeys = file }.action(to: changed { $0.authorizedKeys = SSHKeyFile("/x", holding: Secret([2])) }) == .live
        )
    }
}

/// The host keys that the real ssh-keyscan sees: type and key.
func scanned(_ port: Int) async throws -> Set<String> {
    let result = try await run("ssh-keyscan", "-p", "\(port)", "127.0.0.1")
    return Set(
        result.output.split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
            $0.split(separator: " ").dropFirst().joined(separator: " ")
        })
}

extension Scratch {
    /// Type and key, without the comment.
    func publicKey(_ name: String) throws -> String { try read("\(name).pub").split(separator: " ").prefix(2).joined(separator: " ") }
}
