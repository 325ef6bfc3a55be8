import PlueConfig
import PlueHTTP
import PlueTesting
import TestGround
import Testing

@Suite("The server keeps the promises of a live service", .timeLimit(.minutes(1)))
struct ConformanceTests {
    typealias Conformance = LiveServiceConformance<HTTPServerSettings>

    @Test("a port that changes, and one that is taken", arguments: Conformance.Check.allCases)
    func ports(_ check: Conformance.Check) async throws {
        let squatter = try Squatter(port: try freePort())
        let subject = Conformance(.loopback(try freePort()), .loopback(try freePort()), impossible: .loopback(squatter.port)) { settings in
            guard case .tcp(_, let port) = settings.endpoint else { return false }
            return await !refuses(port)
        }
        try await subject.run(check, on: Stage().server)
    }

    @Test("limits that change behind one port", arguments: Conformance.Check.allCases)
    func limits(_ check: Conformance.Check) async throws {
        let first = HTTPServerSettings.loopback(try freePort())
        let subject = Conformance(first, first.with { $0.maxConnections = 7 }, impossible: nil) { settings in
            guard case .tcp(_, let port) = settings.endpoint else { return false }
            return await !refuses(port)
        }
        try await subject.run(check, on: Stage().server)
    }

    @Test("a certificate that changes behind one port, and a key that is of another", arguments: Conformance.Check.allCases)
    func certificates(_ check: Conformance.Check) async throws {
        let (first, second) = (try await SelfSigned.make(), try await SelfSigned.make())
        let settings = HTTPServerSettings.loopback(try freePort())
        let mixed = HTTPServerSettings.TLS(certificate: second.certificate, privateKey: first.privateKey)
        let subject = Conformance(settings.with(first), settings.with(second), impossible: settings.with(mixed)) { settings in
            guard case .tcp(_, let port) = settings.endpoint, let served = try? await servedCertificate(port) else { return false }
            return settings.tls?.certificate.content.withExposed { String(decoding: $0, as: UTF8.self).contains(served) } == true
        }
        try await subject.run(check, on: Stage().server)
    }

    @Test("a service that answers for what it only prepared is found out")
    func detectsFailure() async throws {
        let subject = LiveServiceConformance<Int>(1, 2, impossible: 3) { _ in true }
        for check in [LiveServiceConformance<Int>.Check.startsAndEnds, .replaces, .goesBack, .refuses] {
            await #expect(throws: LiveServiceConformance<Int>.Failure.self, "\(check)") { try await subject.run(check, on: Forgetful()) }
        }
    }

    /// Agrees to everything, and forgets what was live.
    private struct Forgetful: LiveService {
        func prepare(_ settings: Int, beside live: Int?) async throws -> Int { settings }
        func activate(_ next: Int) async -> Int? { nil }
        func verify(_ live: Int) async throws {}
        func retire(_ instance: Int) async {}
    }
}
