import TestGround
import Testing

@testable import PlueConfig

@Suite("A transaction over services", .timeLimit(.minutes(1)))
struct CommitterTests {
    @Test("the phases come in order, and the intent before the first activation")
    func order() async throws {
        let stage = try Stage(["database": [], "http": ["database"]])
        try await stage.start()
        #expect(await stage.commit(2).version == 2)
        #expect(
            stage.journal.entries == [
                "prepare database 2", "prepared database 2", "prepare http 2", "prepared http 2",
                "intend",
                "activate database 2", "activate http 2",
            ] + stage.journal.entries("verify") + ["conclude committed"])
        #expect(Set(stage.journal.entries("verify")) == ["verify database 2", "verify http 2"])
    }

    @Test("services are prepared after those they depend on, whatever the plan's order")
    func dependencies() async throws {
        let stage = try Stage(["c": [], "b": ["c"], "a": ["b"]])
        let outcome = await stage.commit(.all(1, stage.names), ["a", "b", "c"])
        #expect(outcome.version == 1)
        #expect(stage.journal.entries("prepare") == ["prepare c 1", "prepare b 1", "prepare a 1"])
        #expect(stage.journal.entries("activate") == ["activate c 1", "activate b 1", "activate a 1"])
    }

    @Test("services that do not depend on each other are prepared, and verified, at the same time")
    func parallel() async throws {
        let stage = try Stage(["a": [], "b": [], "c": ["a", "b"]])
        let gates = (prepare: Gate(), verify: Gate())
        for name in ["a", "b"] {
            stage[name].on(.prepare, 1, .wait(gates.prepare))
            stage[name].on(.verify, 1, .wait(gates.verify))
        }
        async let outcome = stage.commit(1)
        await stage.journal.wait { Set($0).isSuperset(of: ["prepare a 1", "prepare b 1"]) }
        #expect(!stage.journal.entries.contains("prepare c 1"))
        gates.prepare.open()
        await stage.journal.wait { Set($0).isSuperset(of: ["verify a 1", "verify b 1", "verify c 1"]) }
        gates.verify.open()
        #expect(await outcome.version == 1)
    }

    @Test("only the planned services are called; the others stay as they are")
    func onlyPlanned() async throws {
        let stage = try Stage(["a": [], "b": ["a"]])
        try await stage.start()
        let outcome = await stage.committer.commit(
            .all(2, stage.names),
            services: [PlannedService(name: "a", action: .restart), PlannedService(name: "b", action: .live)],
            intent: stage.intent(parent: 1))
        guard case .committed(_, let results) = outcome else { throw Unexpected(outcome) }
        #expect(results.map(\.name) == ["b"])
        #expect(results.map(\.action) == [.live])
        #expect(stage.live == [1, 2])
    }

    @Test("a change that concerns no service is a version all the same")
    func noServices() async throws {
        let stage = try Stage(["a": []])
        try await stage.start()
        #expect(await stage.commit(Numbers(), []).version == 2)
        #expect(stage.journal.entries == ["intend", "conclude committed"])
    }

    @Test("without an intent nothing is recorded: the version is known already")
    func withoutIntent() async throws {
        let stage = try Stage(["a": []])
        let outcome = await stage.committer.commit(.all(1, ["a"]), services: [PlannedService(name: "a", action: .swap)], intent: nil)
        guard case .committed(nil, let results) = outcome else { throw Unexpected(outcome) }
        #expect(results.map(\.outcome) == [.applied])
        #expect(stage.journal.entries == ["prepare a 1", "prepared a 1", "activate a 1", "verify a 1"])
    }

    @Test("a plan with an unknown service touches nothing")
    func unknownService() async throws {
        let stage = try Stage(["a": []])
        let refusal = try #require(await stage.commit(.all(1, ["a"]), ["a", "b"]).refusal)
        #expect(refusal.reason == .unknownService)
        #expect(refusal.problem == "there is no service named 'b'")
        #expect(stage.journal.entries.isEmpty)
    }

    @Test("a service added later is brought up beside the others")
    func addedLater() async throws {
        let stage = try Stage(["a": []])
        try await stage.start()
        let late = ScriptedService("late", stage.journal)
        try await stage.committer.add(ServiceRegistration(late, named: "late", sections: ["late"], after: ["a"]) { $0["late"] })
        let outcome = await stage.committer.commit(
            .all(1, ["a", "late"]), services: [PlannedService(name: "late", action: .swap)], intent: nil)
        guard case .committed(nil, _) = outcome else { throw Unexpected(outcome) }
        #expect(late.live == 1)
        #expect(!stage.journal.entries.contains("prepare a 1"))
    }

    @Test("durations are measured with the clock that was passed in")
    func durations() async throws {
        let stage = try Stage(["a": []])
        let gate = Gate()
        stage["a"].on(.prepare, 1, .wait(gate))
        async let outcome = stage.commit(1)
        await stage.journal.wait(for: "prepare a 1")
        stage.clock.advance(by: .seconds(3))
        gate.open()
        guard case .committed(_, let results) = await outcome else { throw Unexpected(await outcome) }
        #expect(results.map(\.duration) == [.seconds(3)])
        #expect(stage.recorder.conclusions.map(\.duration) == [.seconds(3)])
    }
}

struct Unexpected: Error {
    let outcome: CommitOutcome
    init(_ outcome: CommitOutcome) { self.outcome = outcome }
}
