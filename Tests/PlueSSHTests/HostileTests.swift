import Foundation
import PlueConfig
import PlueSSH
import Synchronization
import SystemPackage
import TestGround
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

@Suite("Clients that mean harm", .timeLimit(.minutes(3)), .serialized)
struct HostileTests {
    @Test("a thousand half-open connections keep nobody out, and are bounded")
    func flood() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let port = stage.port
                let most = Atomic<Int>(0)
                let isOver = Atomic<Bool>(false)
                let session = try scratch.start(port, "until")
                try await eventually("it prints") { !session.output.isEmpty }
                // They come all the time, half of them with a greeting, and stay until they are dropped.
                async let flood: Int = blocking {
                    var sockets: [Socket] = []
                    var opened = 0
                    while !isOver.load(ordering: .relaxed) || opened < 1_000 {
                        guard let socket = try? Socket(port) else { continue }
                        if opened.isMultiple(of: 2) { socket.send(Array("SSH-2.0-Flood\r\n".utf8)) }
                        sockets.append(socket)
                        opened += 1
                        if sockets.count > 1_000 { sockets.removeFirst(500) }
                        most.store(max(most.load(ordering: .relaxed), stage.server.halfOpenCount), ordering: .relaxed)
                    }
                    return opened
                }
                for number in 0..<10 {
                    let result = try await scratch.ssh(port, "status", "\(number)")
                    #expect(result.status == number, "\(result.errors)")
                }
                isOver.store(true, ordering: .relaxed)
                #expect(try await flood >= 1_000)
                #expect(most.load(ordering: .relaxed) <= SSHServerSettings.Limits().maxHalfOpen)
                stage.enough()
                #expect(try await session.result().status == 5)
                try await eventually("they are all gone") { stage.server.halfOpenCount == 0 }
                #expect(try await scratch.ssh(port, "status", "1").status == 1)
            }
        }
    }

    @Test("bytes that are no SSH, packets that are no packets, and half of what a client says", arguments: [1, 2, 3, 4] as [UInt64])
    func fuzz(seed: UInt64) async throws {
        try await Scratch.with { scratch async throws in
            let recorded = try await recordedHandshake(scratch)
            try await Stage.run(scratch) { stage async throws in
                let port = stage.port
                let session = try scratch.start(port, "until")
                try await eventually("it prints") { !session.output.isEmpty }
                try await blocking {
                    var random = SeededGenerator(seed: seed)
                    for _ in 0..<300 {
                        guard let socket = try? Socket(port) else { continue }
                        for part in random.attack(recorded) { if !socket.send(part) { break } }
                        // Some wait for an answer, most are gone before there is one.
                        if random.next().isMultiple(of: 8) { _ = socket.receive(within: 50) }
                    }
                }
                stage.enough()
                #expect(try await session.result().status == 5)
                #expect(try await scratch.ssh(port, "say", "alive").output == "[alive]\n")
                try await eventually("they are all gone") { stage.server.halfOpenCount == 0 }
                #expect(!stage.events.contains { if case .loggedIn(let actor, _, _) = $0 { actor != "ssh:ada@test" } else { false } })
            }
        }
    }

    @Test("a client cannot have a session before its login, nor ask for services for ever")
    func beforeLogin() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                #expect(try await hostile("unauthenticated", stage, []) == ["ended"])
                #expect(try await hostile("services", stage, []) == ["ended"])
                #expect(stage.events.isEmpty)
                #expect(try await scratch.ssh(stage.port, "status", "1").status == 1)
            }
        }
    }

    @Test("whatever is not a command or a shell is refused, and harms neither")
    func features() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let said = try await hostile("features", stage, [scratch.file("ada").string])
                #expect(said == ["sftp", "x11", "forward", "listen", "agent", "twice"].map { "\($0) refused" } + ["[still][here]"])
                // The same, as the real client asks for it.
                let forward = try await scratch.ssh(
                    stage.port, "status", "0", options: ["-R", "0:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes"])
                #expect(forward.status == 255)
                let agent = try await scratch.ssh(stage.port, "status", "4", options: ["-A", "-X", "-o", "SendEnv=LANG"])
                #expect(agent.status == 4)
                #expect(try await scratch.ssh(stage.port, options: ["-s"], input: "").status == 255)
            }
        }
    }

    @Test("a client that takes packets too small to hold anything gets no session")
    func packets() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let said = try await hostile("packets", stage, [scratch.file("ada").string])
                #expect(said == ["1 refused", "10 refused", "100 refused", "300 accepted"])
                #expect(try await scratch.ssh(stage.port, "status", "1").status == 1)
            }
        }
    }

    @Test("a client that sends more than it may is shown out, and another is not disturbed")
    func window() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                let session = try scratch.start(stage.port, "until")
                #expect(try await hostile("window", stage, [scratch.file("ada").string]) == ["ended"])
                try await eventually("its command was cancelled") { stage.cancelled + stage.refused == 1 }
                stage.enough()
                #expect(try await session.result().status == 5)
            }
        }
    }

    @Test("a client that asks on and on and reads no answer is shown out")
    func deaf() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                #expect(try await hostile("deaf", stage, [scratch.file("ada").string]) == ["ended"])
                #expect(try await scratch.ssh(stage.port, "status", "1").status == 1)
            }
        }
    }

    @Test("a client that hangs up in the middle of everything breaks nobody else's session")
    func hangUps() async throws {
        try await Scratch.with { scratch async throws in
            try await Stage.run(scratch) { stage async throws in
                // Many that write at all times, beside many that go at all times.
                let steady = try (0..<4).map { _ in try scratch.start(stage.port, "bytes", "30000000") }
                for round in 0..<6 {
                    let rude = try (0..<4).map { _ in try scratch.start(stage.port, "flood") }
                    try await eventually("round \(round) runs") { rude.allSatisfy { !$0.output.isEmpty } }
                    for client in rude { client.kill() }
                }
                let expected = Stage.pattern(30_000_000)
                for session in steady {
                    let result = try await session.result()
                    #expect(result.status == 0, "\(result.errors)")
                    #expect(result.bytes == expected)
                }
                try await eventually("all commands have ended") { stage.running == 0 }
            }
        }
    }
}

/// What a real client says up to its key exchange, to be cut and bent.
private func recordedHandshake(_ scratch: Scratch) async throws -> [UInt8] {
    let listener = try Squatter(port: try freePort())
    let client = try scratch.start(listener.port, "x")
    defer { client.kill() }
    return try await blocking {
        guard let socket = listener.accept() else { return [] }
        defer { close(socket) }
        var said: [UInt8] = []
        let greeting = Array("SSH-2.0-Recorder\r\n".utf8)
        _ = greeting.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, 0) }
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, 500) > 0 {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(socket, &buffer, buffer.count, 0)
            if count <= 0 { break }
            said += buffer.prefix(count)
        }
        return said
    }
}

extension Squatter {
    /// The next connection, if one comes soon.
    fileprivate func accept() -> Int32? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 20_000) > 0 else { return nil }
        let accepted = Glibc.accept(descriptor, nil, nil)
        return accepted < 0 ? nil : accepted
    }
}

/// The same attacks from the same seed.
extension SeededGenerator {
    private mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    /// A packet of RFC 4253, 6, in the clear.
    private mutating func packet(_ payload: [UInt8], length: UInt32? = nil, padding: UInt8? = nil) -> [UInt8] {
        let pad = 8 - (payload.count + 5) % 8 + 8
        let size = length ?? UInt32(payload.count + pad + 1)
        return withUnsafeBytes(of: size.bigEndian, Array.init) + [padding ?? UInt8(pad)] + payload + bytes(pad)
    }

    fileprivate mutating func attack(_ recorded: [UInt8]) -> [[UInt8]] {
        let hello = Array("SSH-2.0-OpenSSH_9.2\r\n".utf8)
        // The client's greeting, and its KEXINIT behind it.
        let split = (recorded.firstIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
        let kexinit = Array(recorded[split...])
        switch Int(next() % 12) {
        case 0: return [bytes(Int(next() % 4_000))]
        case 1: return [Array(repeating: UInt8(ascii: "A"), count: 200_000)]
        case 2: return [Array("SSH-1.5-old\r\n".utf8)]
        case 3: return [Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)]
        case 4: return [hello, bytes(Int(next() % 8_000))]
        case 5: return [hello, packet(bytes(20), length: [0, 1, 0xFFFF_FFFF, 0x7FFF_FFFF, 262_144, 262_145].randomElement(using: &self))]
        case 6: return [hello, packet(bytes(20), padding: 255)]
        // Every message there is, where it does not belong.
        case 7: return [hello] + (0..<40).map { _ in packet([UInt8(truncatingIfNeeded: next())] + bytes(Int(next() % 60))) }
        case 8: return [Array(recorded.prefix(Int(next() % UInt64(max(recorded.count, 1)))))]
        case 9:
            var bent = kexinit
            for _ in 0..<Int(1 + next() % 20) where !bent.isEmpty {
                bent[Int(next() % UInt64(bent.count))] = UInt8(truncatingIfNeeded: next())
            }
            return [hello, bent, bytes(64)]
        // A real KEXINIT, then a key exchange with nonsense in it.
        case 10: return [hello, kexinit, packet([30] + withUnsafeBytes(of: UInt32(32).bigEndian, Array.init) + bytes(32)), packet([21])]
        default: return [hello, kexinit, kexinit, packet([30, 0xFF, 0xFF, 0xFF, 0xFF] + bytes(10))]
        }
    }
}
