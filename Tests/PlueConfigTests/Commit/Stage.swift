import Foundation
import Logging
import PlueDocuments
import TestGround
import Testing

@testable import PlueConfig

/// A committer over scripted services that have a clock, a recorder and a journal in common.
struct Stage {
    let journal = Journal()
    let clock = ManualClock()
    let logger = quiet
    let recorder: ScriptedRecorder
    let committer: Committer<Numbers>
    let services: [ScriptedService]
    let set: ServiceSet<Numbers>

    /// - Parameter dependencies: The services in order, with those each depends on.
    init(_ dependencies: KeyValuePairs<String, [String]>) throws {
        try self.init(dependencies.map { ($0.key, $0.value) })
    }

    init(_ dependencies: [(name: String, after: [String])]) throws {
        recorder = ScriptedRecorder(journal)
        var services: [ScriptedService] = []
        var set = ServiceSet<Numbers>()
        for (name, after) in dependencies {
            let service = ScriptedService(name, journal)
            services.append(service)
            try set.add(ServiceRegistration(service, named: name, sections: [name], after: after) { $0[name] })
        }
        self.services = services
        self.set = set
        committer = Committer(services: set, recorder: recorder, clock: clock, logger: logger)
    }

    var names: [String] { services.map(\.name) }
    /// What the outside sees of each service.
    var live: [Int?] { services.map(\.live) }
    subscript(name: String) -> ScriptedService { services[names.firstIndex(of: name) ?? 0] }

    /// Commits one number for all services.
    func commit(_ number: Int, parent: Int? = nil, writingBack: WriteBack? = nil) async -> CommitOutcome {
        await commit(.all(number, names), names, parent: parent, writingBack: writingBack)
    }

    func commit(_ next: Numbers, _ names: [String], parent: Int? = nil, writingBack: WriteBack? = nil) async -> CommitOutcome {
        await committer.commit(
            next, services: names.map { PlannedService(name: $0, action: .swap) }, intent: intent(parent: parent ?? version),
            writingBack: writingBack)
    }

    func intent(parent: Int?) -> Intent {
        Intent(
            cause: Cause(.file, actor: "file:0"), at: Date(timeIntervalSince1970: 0), environment: .production, digest: "sha256:0",
            parent: parent, documents: [], changedKeys: [])
    }

    private var version: Int? { recorder.version == 0 ? nil : recorder.version }

    /// Brings all services up at 1, and forgets how.
    func start() async throws {
        let outcome = await commit(1)
        _ = try #require(outcome.version)
        journal.clear()
    }
}

extension CommitOutcome {
    var version: Int? { if case .committed(let version, _) = self { version?.number } else { nil } }
    var refusal: CommitFailure? { if case .refused(let failure) = self { failure } else { nil } }
    var degradation: CommitFailure? { if case .degraded(let failure) = self { failure } else { nil } }
}

extension Stage {
    /// Drains, ends the committer, and looks for instances that were forgotten, retired twice, or retired while live.
    /// - Parameter expected: What must be retired before the look, `a 2`; of use where it comes late.
    func expectOnlyLiveRemain(untilRetired expected: [String] = [], _ location: SourceLocation = #_sourceLocation) async {
        let live = services.map { service in service.live.map { [$0] } ?? [] }
        let draining = Task { await committer.run() }
        for instance in expected { await journal.wait(for: "retired \(instance)") }
        while !Task.isCancelled, await committer.serviceStates.contains(where: { $0.draining > 0 }) { await Task.yield() }
        #expect(services.map(\.unretired) == live, sourceLocation: location)
        draining.cancel()
        await draining.value
        await committer.shutDown()
        #expect(services.flatMap(\.unretired).isEmpty, sourceLocation: location)
        #expect(services.flatMap(\.wrongRetirements).isEmpty, sourceLocation: location)
    }
}
