import Foundation
import PlueConfig
import PlueHTTP
import TestGround
import Testing

@Suite("An HTTP server", .timeLimit(.minutes(1)))
struct HTTPServerTests {
    @Test("it serves from its first start on, and says which port it got")
    func starts() async throws {
        try await Stage.run { stage async throws in
            let client = try await Client.connect(stage.port)
            for _ in 0..<3 {
                let response = try await client.get()
                #expect(response.status == 200)
                #expect(response.body == "hello")
                #expect(!response.isLast)
            }
            #expect(try await client.get("/missing").status == 404)
            #expect(try await client.get("/peer").body == "tcp:127.0.0.1")
        }
    }

    @Test("before its first start and after its end it has no address")
    func noAddress() async throws {
        let stage = Stage()
        #expect(stage.server.address == nil)
        try await stage.change(to: .loopback())
        let port = stage.port
        #expect(port > 0)
        await stage.retireAtOnce(try #require(stage.instance))
        #expect(stage.server.address == nil)
        await #expect(throws: Client.Failure.self) { try await Client.connect(port) }
    }

    @Test("what changes says whether clients notice: limits do not, an address does")
    func action() {
        let settings = HTTPServerSettings.loopback(8080)
        #expect(settings.action(to: settings) == .none)
        #expect(settings.action(to: settings.with { $0.maxBodySize = 1 }) == .live)
        #expect(settings.action(to: .loopback(8081)) == .swap)
        #expect(settings.action(to: .loopback(8080, host: "::1")) == .swap)
    }
}
