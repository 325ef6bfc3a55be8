import Foundation
import Logging
import PlueConfig
import PlueHTTP
import Subprocess
import Synchronization
import SystemPackage
import TestGround
import Testing

@Suite("A server with TLS", .timeLimit(.minutes(2)))
struct TLSTests {
    @Test("curl believes it by its authority and its name; nothing older than TLS 1.2, and nothing without forward secrecy")
    func serves() async throws {
        try await withAuthority { authority in
            let pair = try await authority.issue("a", for: "DNS:plue.test")
            try await Stage.run(.loopback().with(try pair.read())) { stage async throws in
                let trust = ["--cacert", authority.certificate.string, "--resolve", "plue.test:\(stage.port):127.0.0.1"]
                #expect(try await curl(trust + ["https://plue.test:\(stage.port)/hello"]) == "200")
                #expect(try await curl(trust + ["https://127.0.0.1:\(stage.port)/hello"]).hasPrefix("curl failed"), "another name")
                #expect(try await curl(["https://127.0.0.1:\(stage.port)/hello"]).hasPrefix("curl failed"), "no trust")
                // Two requests of one connection.
                let twice = (1...2).flatMap { ["https://plue.test:\(stage.port)/hello?\($0)", "-o", "/dev/null"] }
                #expect(try await curl(trust + twice) == "200200")

                let handshake = ["s_client", "-connect", "127.0.0.1:\(stage.port)"]
                #expect(try await openssl(handshake + ["-alpn", "h2,http/1.1"]).contains("ALPN protocol: http/1.1"))
                #expect(try await openssl(handshake + ["-tls1_3"]).contains("TLSv1.3"))
                #expect(try await openssl(handshake + ["-tls1_2"]).contains("TLSv1.2"))
                for refused in [
                    ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
                    ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384"],
                ] {
                    await #expect(throws: OpenSSLFailure.self, "\(refused)") { try await openssl(handshake + refused) }
                }
                #expect(try await Client.connect(tls: stage.port).get("/peer").body == "tcp:127.0.0.1")
            }
        }
    }

    @Test("another certificate counts from the next handshake on; who is connected stays, and so does the port")
    func swaps() async throws {
        try await withAuthority { authority in
            let (first, second) = (try await authority.issue("a"), try await authority.issue("b", valid: -60...20 * 86_400))
            try await Stage.run(.loopback().with(try first.read())) { stage async throws in
                let port = stage.port
                let clients = [try await Client.connect(tls: port, ["-tls1_2"]), try await Client.connect(tls: port, ["-tls1_3"])]
                for client in clients { #expect(try await client.get().body == "hello") }
                #expect(try await servedCertificate(port) == text(first.certificate))

                let next = try await stage.prepare(.loopback().with(try second.read()))
                #expect(try await servedCertificate(port) == text(first.certificate), "prepared is not yet served")
                let old = try #require(await stage.activate(next))
                try await stage.server.verify(next)
                await stage.server.retire(old)
                #expect(stage.port == port)
                #expect(try await servedCertificate(port) == text(second.certificate))
                for client in clients {
                    let response = try await client.get()
                    #expect(response.body == "hello")
                    #expect(!response.isLast)
                }
                let end = try #require(stage.server.certificate?.notAfter)
                #expect(abs(end.timeIntervalSinceNow - 20 * 86_400) < 60)
            }
        }
    }

    @Test("going back brings the old certificate back")
    func reverts() async throws {
        try await withAuthority { authority in
            let (first, second) = (try await authority.issue("a"), try await authority.issue("b"))
            try await Stage.run(.loopback().with(try first.read())) { stage async throws in
                let next = try await stage.prepare(.loopback().with(try second.read()))
                let old = try #require(await stage.activate(next))
                #expect(try await servedCertificate(stage.port) == text(second.certificate))
                await stage.activate(old)
                await stage.server.retire(next)
                #expect(try await servedCertificate(stage.port) == text(first.certificate))
                try await stage.server.verify(old)
            }
        }
    }

    @Test("the look from outside does not take any certificate for the one that was loaded, nor plain HTTP for TLS")
    func verifies() async throws {
        try await withAuthority { authority in
            let (first, second) = (try await authority.issue("a"), try await authority.issue("b"))
            try await Stage.run(.loopback().with(try first.read())) { stage async throws in
                let other = try await stage.prepare(.loopback().with(try second.read()))
                let refusal = await #expect(throws: ServiceRefusal.self) { try await stage.server.verify(other) }
                #expect(refusal?.message == "127.0.0.1:\(stage.port) does not serve the certificate that was loaded")
                let plain = try await stage.prepare(.loopback())
                await #expect(throws: ServiceRefusal.self) { try await stage.server.verify(plain) }
                try await stage.change(to: .loopback())
                await #expect(throws: ServiceRefusal.self) { try await stage.server.verify(other) }
            }
        }
    }

    @Test("a pair that cannot be served is refused; one that expired while it was served does not hold up another change")
    func refusals() async throws {
        try await withAuthority { authority in
            let (good, other) = (try await authority.issue("a"), try await authority.issue("b"))
            let brief = try await authority.issue("brief", valid: -60...86_400)
            let isLater = Atomic<Bool>(false)
            let unusable: [(HTTPServerSettings.TLS, String)] = [
                (.init(certificate: try good.read().certificate, privateKey: try other.read().privateKey), "does not belong to"),
                (try await authority.issue("past", valid: -86_400 ... -60).read(), "expired on 20"),
                (try await authority.issue("future", valid: 3_600...86_400).read(), "is not valid before 20"),
            ]
            let now = { @Sendable in Date(timeIntervalSinceNow: isLater.load(ordering: .relaxed) ? 2 * 86_400 : 0) }
            try await Stage.run(.loopback().with(try brief.read()), now: now) { stage async throws in
                for (files, words) in unusable {
                    let refusal = await #expect(throws: ServiceRefusal.self) { try await stage.prepare(.loopback().with(files)) }
                    #expect(refusal?.message.contains(words) == true, "\(refusal?.message ?? "")")
                    #expect(try await servedCertificate(stage.port) == text(brief.certificate))
                }
                isLater.store(true, ordering: .relaxed)
                try await stage.change(to: .loopback().with(try brief.read()).with { $0.maxBodySize = 7 })
                await #expect(throws: ServiceRefusal.self) { try await Stage(now: now).prepare(.loopback().with(try brief.read())) }
            }
        }
    }

    @Test("TLS goes on and off behind one port, and whoever came by the other scheme is told with the next response")
    func scheme() async throws {
        let settings = HTTPServerSettings.loopback(try freePort())
        try await Stage.run(settings) { stage async throws in
            for wire in [Wire.plain, .tls, .plain] {
                try await stage.change(to: try await wire == .tls ? settings.with(SelfSigned.any.value) : settings)
                let client = try await wire.connect(stage.port)
                #expect(try await !client.get().isLast)

                let other = wire == .tls ? Wire.plain : .tls
                try await stage.change(to: try await other == .tls ? settings.with(SelfSigned.any.value) : settings)
                #expect((stage.server.certificate == nil) == (other == .plain))
                let last = try await client.get()
                #expect(last.body == "hello")
                #expect(last.isLast)
                try await client.expectEnd()
                #expect(try await other.connect(stage.port).get().body == "hello")
            }
        }
    }

    @Test("a host change between one address and all of them takes a new certificate along, on the same port")
    func movesHost() async throws {
        try await withAuthority { authority in
            let port = try freePort()
            var settings = HTTPServerSettings.loopback(port).with(try await authority.issue("x").read())
            try await Stage.run(settings) { stage async throws in
                for (number, host) in ["0.0.0.0", "127.0.0.1"].enumerated() {
                    let pair = try await authority.issue("x\(number)")
                    settings = .loopback(port, host: host).with(try pair.read())
                    let old = try #require(await stage.change(to: settings))
                    #expect(try await servedCertificate(port) == text(pair.certificate))
                    await stage.retireAtOnce(old)
                    #expect(try await servedCertificate(port) == text(pair.certificate))
                }
            }
        }
    }

    @Test("a stream goes on through new certificates, new limits and a new port", arguments: Wire.allCases)
    func stream(_ wire: Wire) async throws {
        let ports = [try freePort(), try freePort()]
        try await Stage.run(try await wire.settings(ports[0])) { stage async throws in
            var client: Client? = try await wire.connect(ports[0])
            try await client?.send("GET /ticks HTTP/1.1\r\nHost: test\r\n\r\n")
            try await client?.receive("tick 5\n")
            var retired: [HTTPServer.Instance?] = []
            for number in 1...3 {
                if wire == .tls { retired.append(try await stage.change(to: .loopback(ports[0]).with(SelfSigned.make()))) }
                retired.append(try await stage.change(to: try await wire.settings(ports[0]) { $0.maxBodySize = number }))
            }
            for case let instance? in retired { await stage.server.retire(instance) }
            try await client?.receive("tick 50\n")
            let old = try #require(await stage.change(to: try await wire.settings(ports[1])))
            async let drained: Void = stage.server.retire(old)
            try await eventually("the old port is closed") { await refuses(ports[0]) }
            try await client?.receive("tick 100\n")
            client = nil
            await drained
        }
    }

    @Test("a handshake that does not begin, or does not end, is given up at the idle timeout")
    func slowHandshake() async throws {
        let files = try await SelfSigned.any.value
        try await Stage.run(.loopback { $0.idleTimeout = .milliseconds(500) }.with(files)) { stage async throws in
            let (silent, trickling) = (try await Client.connect(stage.port), try await Client.connect(stage.port))
            // A record of 512 bytes that says it is a ClientHello; the rest never comes.
            try await trickling.send(bytes: [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC])
            let began = ContinuousClock.now
            while !trickling.hasNews, ContinuousClock.now - began < .seconds(15) {
                try? await trickling.send(bytes: [0])
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(ContinuousClock.now - began < .seconds(10))
            try await silent.expectEnd()
            try await eventually("both are gone") { stage.server.connectionCount == 0 }
        }
    }

    @Test("plain HTTP, rubbish and clients that turn away are no reason to raise the voice, and to serve any less")
    func noise() async throws {
        let log = Log()
        let files = try await SelfSigned.any.value
        try await Stage.run(.loopback().with(files), logger: log.logger) { stage async throws in
            for words in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "SSH-2.0-x\r\n", String(repeating: "\u{16}\u{3}\u{1}", count: 3_000)] {
                let client = try await Client.connect(stage.port)
                try await client.send(words)
                // An alert in clear, or nothing.
                let end = await #expect(throws: Client.Failure.self) { try await client.response() }
                #expect(end?.code == 0 || end?.code == ECONNRESET, "\(end?.description ?? "")")
            }
            for _ in 0..<5 { _ = try await Client.connect(stage.port) }
            _ = try? await openssl(["s_client", "-connect", "127.0.0.1:\(stage.port)", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"])
            _ = try await curl(["--cacert", "/dev/null", "https://127.0.0.1:\(stage.port)/hello"])
            #expect(try await Client.connect(tls: stage.port).get().body == "hello")
            try await eventually("the others are gone") { stage.server.connectionCount <= 1 }
        }
        #expect(log.lines.contains { $0.level == .debug })
        #expect(log.lines.allSatisfy { $0.level <= .debug }, "\(log.lines)")
    }

    @Test("a client that reads nothing any more does not hold up a retirement that is in a hurry", arguments: Wire.allCases)
    func frozen(_ wire: Wire) async throws {
        try await Stage.run(try await wire.settings()) { stage async throws in
            let client = try await wire.connect(stage.port)
            try await client.send("GET /large HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            try await eventually("it has begun") { client.hasNews }
            if let process = client.process { kill(process.processIdentifier, SIGSTOP) }
            let live = try #require(stage.instance)
            let duration = await ContinuousClock().measure { await stage.retireAtOnce(live) }
            // For a reader as slow as that a response would wait as long as a connection may be idle, which is a minute.
            #expect(duration < .seconds(8))
            #expect(await refuses(stage.port))
        }
    }

    @Test("a client that leaves without a goodbye, as many do, is no error, and is gone at once")
    func leaves() async throws {
        let log = Log()
        let files = try await SelfSigned.any.value
        try await Stage.run(.loopback().with(files), logger: log.logger) { stage async throws in
            for _ in 0..<3 {
                let client = try await Client.connect(tls: stage.port)
                #expect(try await client.get().body == "hello")
                kill(try #require(client.process?.processIdentifier), SIGKILL)
            }
            try await eventually("all are gone") { stage.server.connectionCount == 0 }
        }
        #expect(log.lines.allSatisfy { $0.level < .debug }, "\(log.lines)")
    }

    @Test("the last response of a connection arrives whole, however slowly it is read", arguments: Wire.allCases)
    func slowReader(_ wire: Wire) async throws {
        try await Stage.run(try await wire.settings()) { stage async throws in
            let client = try await wire.connect(stage.port)
            try await client.send("GET /large HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            try await eventually("it has begun") { client.hasNews }
            // As long as a goodbye is waited for, and longer.
            try await Task.sleep(for: .seconds(4))
            #expect(try await client.response().body.utf8.count == Stage.large)
        }
    }

    private func withAuthority(_ body: (Authority) async throws -> Void) async throws {
        try await withScratch { directory async throws in try await body(try await Authority(in: directory)) }
    }

    private func text(_ file: FilePath) throws -> String { try String(contentsOfFile: file.string, encoding: .utf8) }
}
