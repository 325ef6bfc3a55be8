import PlueConfig
import PlueHTTP
import TestGround
import Testing

@Suite("The end of a server", .timeLimit(.minutes(1)))
struct DrainTests {
    @Test("a request that does not end is cut at the drain timeout")
    func finite() async throws {
        let ports = [try freePort(), try freePort()]
        let settings = HTTPServerSettings.loopback(ports[0]) { $0.drainTimeout = .milliseconds(300) }
        try await Stage.run(settings) { stage async throws in
            let client = try await Client.connect(ports[0])
            try await client.send("GET /held HTTP/1.1\r\nHost: test\r\n\r\n")
            try await eventually("the request arrives") { stage.arrived == 1 }
            let old = try #require(await stage.change(to: .loopback(ports[1])))
            // Hand-over, drain, and half a second for what closes by itself.
            let duration = await ContinuousClock().measure { await stage.server.retire(old) }
            #expect(duration < .seconds(5))
            await #expect(throws: Client.Failure.self) { try await client.response() }
        }
    }

    @Test("a retirement that is cancelled closes at once")
    func cancelled() async throws {
        try await Stage.run { stage async throws in
            let client = try await Client.connect(stage.port)
            try await client.send("GET /held HTTP/1.1\r\nHost: test\r\n\r\n")
            try await eventually("the request arrives") { stage.arrived == 1 }
            let live = try #require(stage.instance)
            let duration = await ContinuousClock().measure { await stage.retireAtOnce(live) }
            // The default drain is 30 seconds.
            #expect(duration < .seconds(5))
        }
    }

    @Test("idle connections do not hold up the end: they are closed, and the port with them")
    func idleConnections() async throws {
        try await Stage.run { stage async throws in
            let port = stage.port
            let client = try await Client.connect(port)
            #expect(try await client.get().status == 200)
            let live = try #require(stage.instance)
            let duration = await ContinuousClock().measure { await stage.server.retire(live) }
            #expect(duration < .seconds(10))
            try await client.expectEnd()
            #expect(await refuses(port))
        }
    }

    @Test("retiring twice is as good as once, and one that only had other limits closes nothing")
    func twice() async throws {
        let own = OwnAddress()
        try await Stage.run(.loopback(host: own.host)) { stage async throws in
            let old = try #require(await stage.change(to: .loopback(host: own.host) { $0.maxBodySize = 1 }))
            for _ in 0..<2 { await stage.server.retire(old) }
            #expect(try await Client.connect(stage.port, on: own.host).get().status == 200)
            let live = try #require(stage.instance)
            for _ in 0..<2 { await stage.retireAtOnce(live) }
            #expect(try own.descriptors == 0)
        }
    }

    @Test("twenty moves leave one listener")
    func noLeak() async throws {
        let own = OwnAddress()
        let ports = try (0..<5).map { _ in try freePort() }
        try await Stage.run(.loopback(ports[0], host: own.host)) { stage async throws in
            for number in 1...20 {
                let port = ports[number % ports.count]
                let old = try #require(await stage.change(to: .loopback(port, host: own.host)))
                #expect(try await Client.connect(port, on: own.host).get("/hello", "Connection: close\r\n").status == 200)
                await stage.retireAtOnce(old)
            }
            try await eventually("one descriptor") { try own.descriptors == 1 }
        }
        #expect(try own.descriptors == 0)
    }
}
