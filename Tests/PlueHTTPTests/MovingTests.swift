import Foundation
import PlueConfig
import PlueHTTP
import TestGround
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

@Suite("A server whose address changes", .timeLimit(.minutes(1)))
struct MovingTests {
    @Test("a port change answers on the new port, and takes clients of the old one for a moment")
    func movesPort() async throws {
        let ports = [try freePort(), try freePort()]
        try await Stage.run(.loopback(ports[0])) { stage async throws in
            let old = try #require(await stage.change(to: .loopback(ports[1])))
            #expect(stage.port == ports[1])
            async let retired: Void = stage.server.retire(old)
            // Who learned the old port just before it moved.
            let late = try await Client.connect(ports[0]).get()
            #expect(late.body == "hello")
            #expect(try await Client.connect(ports[1]).get().body == "hello")
            await retired
            await #expect(throws: Client.Failure.self) { try await Client.connect(ports[0]) }
        }
    }

    @Test("a host change moves too, also between one address and all of them on the same port")
    func movesHost() async throws {
        let port = try freePort()
        try await Stage.run(.loopback(port)) { stage async throws in
            for host in ["0.0.0.0", "127.0.0.1", "::", "::1", "127.0.0.1"] {
                let old = try #require(await stage.change(to: .loopback(port, host: host)), "to \(host)")
                await stage.retireAtOnce(old)
                if host != "::1" { #expect(try await Client.connect(port).get().body == "hello", "on \(host)") }
            }
        }
    }

    @Test("a program that was started with a copy of the old listener takes no client from the new one")
    func copied() async throws {
        let port = try freePort()
        try await Stage.run(.loopback(port)) { stage async throws in
            let copy = try #require(Self.copyOfListener(on: port))
            defer { close(copy) }
            let old = try #require(await stage.change(to: .loopback(port, host: "0.0.0.0")))
            await stage.retireAtOnce(old)
            // The copy's address is the nearer one: whoever listens by it has the client.
            #expect(try await Client.connect(port).get().body == "hello")
        }
    }

    /// Another descriptor of the socket that listens on a port, as a program has it that was started meanwhile.
    private static func copyOfListener(on port: Int) -> Int32? {
        for descriptor in Int32(0)..<4_096 {
            var (address, length) = (sockaddr_in(), socklen_t(MemoryLayout<sockaddr_in>.size))
            let found = withUnsafeMutableBytes(of: &address) { bytes in
                getsockname(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
            }
            var (isListening, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
            guard found == 0, address.sin_family == sa_family_t(AF_INET), Int(UInt16(bigEndian: address.sin_port)) == port,
                getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0, isListening != 0
            else { continue }
            return fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        }
        return nil
    }

    @Test("requests in flight on the old port finish, and their connections are told to come no more")
    func requestInFlight() async throws {
        let ports = [try freePort(), try freePort()]
        try await Stage.run(.loopback(ports[0])) { stage async throws in
            let (busy, idle) = (try await Client.connect(ports[0]), try await Client.connect(ports[0]))
            #expect(try await idle.get().status == 200)
            try await busy.send("GET /held HTTP/1.1\r\nHost: test\r\n\r\n")
            try await eventually("the request arrives") { stage.arrived == 1 }

            let old = try #require(await stage.change(to: .loopback(ports[1])))
            async let retired: Void = stage.server.retire(old)
            try await eventually("the old port is closed") { await refuses(ports[0]) }
            #expect(!busy.hasNews)
            // A keep-alive connection is served once more, and knows then.
            let last = try await idle.get()
            #expect(last.body == "hello")
            #expect(last.isLast)
            try await idle.expectEnd()

            stage.gate.open()
            let held = try await busy.response()
            #expect(held.body == "held")
            #expect(held.isLast)
            try await busy.expectEnd()
            await retired
        }
    }

    @Test("clients that the system has accepted, but not yet the server, are answered")
    func queued() async throws {
        let ports = [try freePort(), try freePort()]
        let limited = HTTPServerSettings.loopback(ports[0]) { $0.maxConnections = 1 }
        try await Stage.run(limited) { stage async throws in
            let first = try await Client.connect(ports[0])
            #expect(try await first.get().status == 200)
            var waiting: [Client] = []
            for _ in 0..<8 {
                let client = try await Client.connect(ports[0])
                try await client.send("GET /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
                waiting.append(client)
            }
            let old = try #require(await stage.change(to: .loopback(ports[1])))
            async let retired: Void = stage.server.retire(old)
            #expect(try await first.get("/hello", "Connection: close\r\n").status == 200)
            for client in waiting { #expect(try await client.response().body == "hello") }
            await retired
        }
    }

    @Test("of three moves in a row, the listener that is cut short resets nobody who waits in its queue")
    func cutWithQueue() async throws {
        let ports = [try freePort(), try freePort()]
        try await Stage.run(.loopback(ports[0])) { stage async throws in
            var waiting: [Client] = []
            let old = try #require(await stage.change(to: .loopback(ports[1])))
            for _ in 0..<40 {
                let client = try await Client.connect(ports[0])
                try await client.send("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n")
                waiting.append(client)
            }
            await stage.retireAtOnce(old)
            for client in waiting { #expect(try await client.response().body == "hello") }
        }
    }

    @Test("a port that another program has is refused by name, and the old one goes on")
    func occupied() async throws {
        let squatter = try Squatter(port: try freePort())
        try await Stage.run { stage async throws in
            let client = try await Client.connect(stage.port)
            #expect(try await client.get().status == 200)
            let refusal = await #expect(throws: ServiceRefusal.self) { try await stage.prepare(.loopback(squatter.port)) }
            #expect(refusal?.description == "port \(squatter.port) is already in use on 127.0.0.1 by another program")
            #expect(try await client.get().body == "hello")
            #expect(try await Client.connect(stage.port).get().body == "hello")
        }
    }

    @Test(
        "an address that cannot be had is refused by name",
        arguments: [
            ("192.0.2.1", "host 192.0.2.1 is not an address of this machine"),
            ("no-such-host.invalid", "host 'no-such-host.invalid' cannot be resolved"),
        ])
    func impossible(host: String, problem: String) async throws {
        try await Stage.run { stage async throws in
            let refusal = await #expect(throws: ServiceRefusal.self) { try await stage.prepare(.loopback(8080, host: host)) }
            #expect(refusal?.description.hasPrefix(problem) == true, "\(refusal?.description ?? "")")
        }
    }

    @Test("going back brings the old port back, with every connection it had")
    func reverts() async throws {
        let ports = [try freePort(), try freePort()]
        try await Stage.run(.loopback(ports[0])) { stage async throws in
            let client = try await Client.connect(ports[0])
            #expect(try await client.get().status == 200)
            let next = try await stage.prepare(.loopback(ports[1]))
            let old = try #require(await stage.activate(next))
            #expect(stage.port == ports[1])
            await stage.activate(old)
            await stage.server.retire(next)
            #expect(stage.port == ports[0])
            #expect(!(try await client.get().isLast))
            #expect(try await Client.connect(ports[0]).get().body == "hello")
            #expect(await refuses(ports[1]))
        }
    }

    @Test("an instance of old that is retired late leaves the listener to a change that may still be swapped back")
    func retiredLate() async throws {
        let ports = [try freePort(), try freePort()]
        try await Stage.run(.loopback(ports[0])) { stage async throws in
            let first = try #require(await stage.change(to: .loopback(ports[0]) { $0.maxConnections = 7 }))
            let second = try #require(await stage.change(to: .loopback(ports[1])))
            await stage.retireAtOnce(first)
            let third = try #require(await stage.activate(second))
            await stage.retireAtOnce(third)
            #expect(try await Client.connect(ports[0]).get().body == "hello")
        }
    }

    @Test("a port can be returned to at once, while the listener that had it still hands over")
    func returns() async throws {
        let ports = [try freePort(), try freePort()]
        try await Stage.run(.loopback(ports[0])) { stage async throws in
            let old = try #require(await stage.change(to: .loopback(ports[1])))
            async let first: Void = stage.server.retire(old)
            let replaced = try #require(await stage.change(to: .loopback(ports[0])))
            async let second: Void = stage.server.retire(replaced)
            #expect(try await Client.connect(ports[0]).get().body == "hello")
            _ = await (first, second)
            #expect(try await Client.connect(ports[0]).get().body == "hello")
        }
    }

    @Test("what was prepared and is not needed is gone at once")
    func discards() async throws {
        let port = try freePort()
        try await Stage.run { stage async throws in
            let unused = try await stage.prepare(.loopback(port) { $0.drainTimeout = .seconds(600) })
            // Nobody was told of it, so there is nobody to hand over and nobody to wait for: not the drain, and not even a moment.
            let duration = await ContinuousClock().measure { await stage.server.retire(unused) }
            #expect(duration < .seconds(10))
            #expect(await refuses(port))
            #expect(try await Client.connect(stage.port).get().body == "hello")
        }
    }
}

func refuses(_ port: Int, on host: String = "127.0.0.1") async -> Bool {
    do { _ = try await Client.connect(port, on: host) } catch { return (error as? Client.Failure)?.code == 111 }
    return false
}
