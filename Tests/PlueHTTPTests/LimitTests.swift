import Foundation
import PlueConfig
import PlueHTTP
import SystemPackage
import TestGround
import Testing

@Suite("Limits that change while a server serves", .timeLimit(.minutes(1)))
struct LimitTests {
    @Test("other limits touch no connection and no port, and count from the next request on", arguments: Wire.allCases)
    func changes(_ wire: Wire) async throws {
        let settings = try await wire.settings()
        try await Stage.run(settings) { stage async throws in
            let port = stage.port
            let client = try await wire.connect(port)
            #expect(try await client.post("/collected", String(repeating: "x", count: 100)).body == "100")
            let old = try #require(await stage.change(to: settings.with { $0.maxBodySize = 99 }))
            await stage.server.retire(old)
            #expect(stage.port == port)
            #expect(!(try await client.get().isLast))
            #expect(try await client.post("/collected", String(repeating: "x", count: 100)).status == 413)
            let now = try #require(await stage.change(to: settings.with { $0.maxBodySize = 200 }))
            await stage.server.retire(now)
            #expect(try await wire.connect(port).post("/collected", String(repeating: "x", count: 200)).body == "200")
        }
    }

    @Test("going back brings the old limits back", arguments: Wire.allCases)
    func reverts(_ wire: Wire) async throws {
        let settings = try await wire.settings()
        try await Stage.run(settings) { stage async throws in
            let next = try await stage.prepare(settings.with { $0.maxBodySize = 1 })
            #expect(try await wire.connect(stage.port).post("/size", "four").body == "4", "prepared is not yet in force")
            let old = try #require(await stage.activate(next))
            #expect(try await wire.connect(stage.port).post("/size", "four").status == 413)
            await stage.activate(old)
            await stage.server.retire(next)
            #expect(try await wire.connect(stage.port).post("/size", "four").body == "4")
        }
    }

    @Test("a body that is too large is refused with 413, whether its size is announced or not", arguments: Wire.allCases)
    func bodyLimit(_ wire: Wire) async throws {
        try await Stage.run(try await wire.settings { $0.maxBodySize = 1_000 }) { stage async throws in
            for path in ["/size", "/collected"] {
                #expect(try await wire.connect(stage.port).post(path, String(repeating: "x", count: 1_000)).body == "1000")
                #expect(try await wire.connect(stage.port).post(path, String(repeating: "x", count: 1_001)).status == 413)
                for size in [1_000, 1_001] {
                    let client = try await wire.connect(stage.port)
                    try await client.send("POST \(path) HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
                    for _ in 0..<(size / 500) { try await client.send("1f4\r\n" + String(repeating: "x", count: 500) + "\r\n") }
                    try await client.send(size % 500 == 0 ? "0\r\n\r\n" : "1\r\nx\r\n0\r\n\r\n")
                    let response = try await client.response()
                    #expect(response.status == (size == 1_000 ? 200 : 413), "\(path) \(size)")
                }
            }
        }
    }

    @Test("curl, which sends without asking, sees the 413 of an upload far over the limit, and not a reset", arguments: Wire.allCases)
    func largeUpload(_ wire: Wire) async throws {
        try await Stage.run(try await wire.settings { $0.maxBodySize = 1_000 }) { stage async throws in
            try await withScratch { directory async throws in
                let file = directory.appending("upload")
                try Data(count: 8 * 1_048_576).write(to: URL(fileURLWithPath: file.string))
                for _ in 0..<5 {
                    let status = try await curl(
                        "--insecure", "-H", "Expect:", "--data-binary", "@\(file)",
                        "\(wire == .tls ? "https" : "http")://127.0.0.1:\(stage.port)/size")
                    #expect(status == "413")
                }
            }
        }
    }

    @Test("headers over the limit are refused, and the connection ends", arguments: Wire.allCases)
    func headerLimit(_ wire: Wire) async throws {
        try await Stage.run(try await wire.settings { $0.maxHeaderSize = 2_048 }) { stage async throws in
            let fits = try await wire.connect(stage.port).get("/hello", "X-Long: \(String(repeating: "x", count: 1_500))\r\n")
            #expect(fits.status == 200)
            for headers in [
                "X-Long: \(String(repeating: "x", count: 3_000))\r\n",
                (0..<100).map { "X-\($0): \(String(repeating: "x", count: 30))\r\n" }.joined(),
            ] {
                let client = try await wire.connect(stage.port)
                let refused = try await client.get("/hello", headers)
                #expect((400..<500).contains(refused.status))
                #expect(refused.isLast)
                try await client.expectEnd()
            }
            #expect(try await wire.connect(stage.port).get().status == 200)
        }
    }

    @Test("more clients than allowed wait until one leaves, or the limit is raised; nobody is dropped", arguments: Wire.allCases)
    func maxConnections(_ wire: Wire) async throws {
        let settings = try await wire.settings { $0.maxConnections = 2 }
        try await Stage.run(settings) { stage async throws in
            // The look from outside at the start has to be over: it counts as a client.
            try await eventually("nobody is connected") { stage.server.connectionCount == 0 }
            var served: [Client] = []
            for _ in 0..<2 {
                let client = try await wire.connect(stage.port)
                #expect(try await client.get().status == 200)
                served.append(client)
            }
            var waiting: [Client] = []
            for _ in 0..<3 {
                let client = try await wire.connect(stage.port)
                try await client.send("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n")
                waiting.append(client)
            }
            // Those inside are still served; nobody else came in meanwhile.
            for client in served { #expect(try await client.get().status == 200) }
            #expect(stage.server.connectionCount == 2)
            #expect(waiting.allSatisfy { !$0.hasNews })

            served.removeLast()
            try await eventually("one of them is served") { waiting.contains(where: \.hasNews) }
            served += waiting.filter(\.hasNews)
            waiting.removeAll { $0 === served.last }
            #expect(try await served.last?.response().status == 200)
            #expect(waiting.count == 2)
            #expect(waiting.allSatisfy { !$0.hasNews })

            let old = try #require(await stage.change(to: settings.with { $0.maxConnections = 10 }))
            await stage.server.retire(old)
            for client in waiting { #expect(try await client.response().status == 200) }
        }
    }

    @Test("a limit below what is connected already is taken, and drops nobody", arguments: Wire.allCases)
    func lowered(_ wire: Wire) async throws {
        try await Stage.run(try await wire.settings()) { stage async throws in
            var clients: [Client] = []
            for _ in 0..<4 {
                let client = try await wire.connect(stage.port)
                #expect(try await client.get().status == 200)
                clients.append(client)
            }
            // The look from outside finds no room, which is no reason to refuse.
            let old = try #require(await stage.change(to: wire.settings { $0.maxConnections = 2 }))
            await stage.server.retire(old)
            for client in clients { #expect(try await client.get().status == 200) }
            let fifth = try await wire.connect(stage.port)
            try await fifth.send("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n")
            clients.removeLast(3)
            #expect(try await fifth.response().status == 200)
        }
    }

    @Test("a connection without a request is closed after the idle timeout, and one that is answered is not", arguments: Wire.allCases)
    func idle(_ wire: Wire) async throws {
        try await Stage.run(try await wire.settings { $0.idleTimeout = .seconds(2) }) { stage async throws in
            let (silent, used, busy) = (
                try await wire.connect(stage.port), try await wire.connect(stage.port), try await wire.connect(stage.port)
            )
            try await busy.send("GET /held HTTP/1.1\r\nHost: test\r\n\r\n")
            #expect(try await used.get().status == 200)
            try await silent.expectEnd()
            try await used.expectEnd()
            stage.gate.open()
            #expect(try await busy.response().body == "held")
        }
    }

    @Test("headers that drip in do not keep a connection open", arguments: ["GET /hello HTTP/1.1\r\nHost: test\r\n", ""], Wire.allCases)
    func slowHeaders(start: String, _ wire: Wire) async throws {
        try await Stage.run(try await wire.settings { $0.idleTimeout = .milliseconds(300) }) { stage async throws in
            let client = try await wire.connect(stage.port)
            try await client.send(start)
            let began = ContinuousClock.now
            while !client.hasNews, ContinuousClock.now - began < .seconds(10) {
                // Each byte comes well within the timeout.
                try? await client.send(start.isEmpty ? "G" : "X: y\r\n")
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(ContinuousClock.now - began < .seconds(5))
            try await eventually("the connection is gone") { stage.server.connectionCount == 0 }
        }
    }

    @Test("a body that drips in takes no longer than a request may", arguments: Wire.allCases)
    func slowBody(_ wire: Wire) async throws {
        try await Stage.run(try await wire.settings { $0.requestTimeout = .milliseconds(400) }) { stage async throws in
            let client = try await wire.connect(stage.port)
            try await client.send("POST /size HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n")
            let began = ContinuousClock.now
            while !client.hasNews, ContinuousClock.now - began < .seconds(10) {
                try await client.send("x")
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(try await client.response().status == 503)
            try await eventually("the connection is gone") { stage.server.connectionCount == 0 }
            #expect(ContinuousClock.now - began < .seconds(5))
        }
    }

    @Test("who takes nothing of a response that goes on is cut after the idle timeout", arguments: Wire.allCases)
    func stuckReader(_ wire: Wire) async throws {
        try await Stage.run(try await wire.settings { $0.idleTimeout = .seconds(1) }) { stage async throws in
            for path in ["/flood", "/large"] {
                let client = try await wire.connect(stage.port)
                try await client.send("GET \(path) HTTP/1.1\r\nHost: test\r\n\r\n")
                let deadline = ContinuousClock.now + .seconds(5)
                while stage.server.connectionCount == 0, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(5)) }
                #expect(stage.server.connectionCount > 0)
                let end = ContinuousClock.now + .seconds(20)
                while stage.server.connectionCount > 0, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(20)) }
                #expect(stage.server.connectionCount == 0, "\(path)")
                withExtendedLifetime(client) {}
            }
        }
    }

    @Test("a request that is not answered in time is answered with 503", arguments: Wire.allCases)
    func requestTimeout(_ wire: Wire) async throws {
        try await Stage.run(try await wire.settings { $0.requestTimeout = .milliseconds(200) }) { stage async throws in
            let response = try await wire.connect(stage.port).get("/stuck")
            #expect(response.status == 503)
            #expect(response.isLast)
        }
    }
}

extension Client {
    func post(_ path: String, _ body: String) async throws -> Response {
        try await send("POST \(path) HTTP/1.1\r\nHost: test\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        return try await response()
    }
}
