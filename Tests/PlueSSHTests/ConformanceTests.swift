import PlueConfig
import PlueSSH
import PlueTesting
import SystemPackage
import TestGround
import Testing

@Suite("The SSH server keeps the promises of a live service", .timeLimit(.minutes(2)))
struct ConformanceTests {
    typealias Conformance = LiveServiceConformance<SSHServerSettings>

    @Test("a port that changes, and one that is taken", arguments: Conformance.Check.allCases)
    func ports(_ check: Conformance.Check) async throws {
        let scratch = try Scratch()
        let squatter = try Squatter(port: try freePort())
        let ports = [try freePort(), try freePort()]
        let subject = Conformance(
            scratch.settings { $0.endpoint.port = ports[0] }, scratch.settings { $0.endpoint.port = ports[1] },
            impossible: scratch.settings { $0.endpoint.port = squatter.port }
        ) { settings in await isServed(settings.endpoint.port) }
        try await subject.run(check, on: Stage().server)
    }

    @Test("limits that change behind one port, and keys that nobody can read", arguments: Conformance.Check.allCases)
    func limits(_ check: Conformance.Check) async throws {
        let scratch = try Scratch()
        let port = try freePort()
        let subject = Conformance(
            scratch.settings { $0.endpoint.port = port },
            scratch.settings {
                $0.endpoint.port = port
                $0.limits.maxConnections = 7
            },
            impossible: scratch.settings { $0.authorizedKeys = SSHKeyFile(scratch.file("missing")) }
        ) { settings in await isServed(settings.endpoint.port) }
        try await subject.run(check, on: Stage().server)
    }
}

/// Whether a client is greeted.
private func isServed(_ port: Int) async -> Bool { (try? await greeting(of: port))??.hasPrefix("SSH-2.0-") == true }
