import Foundation
import PlueConfig
import PlueProcess
import PlueTesting
import TestGround
import Testing

@Suite("An external daemon keeps the promises of a live service", .timeLimit(.minutes(2)))
struct ConformanceTests {
    typealias Conformance = LiveServiceConformance<ExternalDaemon.Settings>

    // One promise is not for it: what is retired serves on, since the daemon outlives the process that follows it.
    @Test("a port that changes, and one that is taken", arguments: Conformance.Check.allCases.filter { $0 != .startsAndEnds })
    func ports(_ check: Conformance.Check) async throws {
        try await FakeDaemon.run { fake in
            let squatter = try Squatter(port: try freePort())
            let subject = Conformance(
                fake.settings(try freePort()), fake.settings(try freePort()), impossible: fake.settings(squatter.port)
            ) { settings in
                guard case .tcp(let address) = settings.probe else { return false }
                return try await greeting(of: address.port) == "hello\n"
            }
            try await subject.run(check, on: ExternalDaemon(named: "fake", logger: quiet))
        }
    }
}
