import TestGround
import Testing

@testable import PlueConfig

@Suite("Deadlines", .timeLimit(.minutes(1)))
struct DeadlineTests {
    @Test("a service that is too slow to prepare is refused, and its instance is retired when it comes in the end")
    func latePrepare() async throws {
        let stage = try Stage(["a": [], "b": []])
        try await stage.start()
        let gate = Gate()
        stage["b"].on(.prepare, 2, .hang(gate))
        async let outcome = stage.commit(2)
        await stage.journal.wait { Set($0).isSuperset(of: ["prepared a 2", "prepare b 2"]) }
        await stage.clock.wait(forSleepers: 1)
        stage.clock.advance(by: .seconds(10))
        let refusal = try #require(await outcome.refusal)
        #expect(refusal.problem == "b: did not prepare within 10s")
        #expect(refusal.services.map(\.outcome) == [.discarded, .failed])
        #expect(refusal.services.map(\.duration) == [.zero, .seconds(10)])
        // The service still hangs; the committer does not.
        #expect(await stage.commit(.all(3, ["a"]), ["a"]).version == 2)

        gate.open()
        let draining = Task { await stage.committer.run() }
        await stage.journal.wait(for: "retired b 2")
        draining.cancel()
        await draining.value
        #expect(stage.live == [3, 1])
        #expect(stage["b"].unretired == [1])
    }

    @Test("a service that heeds its cancellation is cancelled at the deadline")
    func cancelledAtDeadline() async throws {
        let stage = try Stage(["a": []])
        stage["a"].on(.prepare, 1, .wait(Gate()))
        async let outcome = stage.commit(1)
        await stage.clock.wait(forSleepers: 1)
        stage.clock.advance(by: .milliseconds(9999))
        #expect(stage.recorder.version == 0)
        stage.clock.advance(by: .milliseconds(1))
        #expect(await outcome.refusal?.problem == "a: did not prepare within 10s")
        #expect(stage["a"].unretired.isEmpty)
    }

    @Test("a verification that hangs takes everyone back at its deadline", arguments: [true, false])
    func hangingVerify(heedsCancellation: Bool) async throws {
        let stage = try Stage(["a": [], "b": []])
        try await stage.start()
        let gate = Gate()
        stage["a"].on(.verify, 2, heedsCancellation ? .wait(gate) : .hang(gate))
        async let outcome = stage.commit(2)
        await stage.journal.wait { Set($0).isSuperset(of: ["verify a 2", "verify b 2"]) }
        await stage.clock.wait(forSleepers: 1)
        stage.clock.advance(by: .seconds(5))
        #expect(await outcome.refusal?.problem == "a: did not verify within 5s")
        #expect(stage.live == [1, 1])
        gate.open()
        await stage.expectOnlyLiveRemain()
    }

    @Test("work that ends in time leaves no timer behind")
    func noTimerLeft() async throws {
        let stage = try Stage(["a": [], "b": ["a"]])
        try await stage.start()
        await stage.clock.wait(forSleepers: 0)
    }
}

@Suite("Callers that come together, or give up", .timeLimit(.minutes(1)))
struct TurnTests {
    @Test("a second commit waits for the first, and is refused when its plan is then stale")
    func twoAtOnce() async throws {
        let stage = try Stage(["a": [], "b": []])
        try await stage.start()
        let gate = Gate()
        stage["a"].on(.verify, 2, .wait(gate))
        async let first = stage.commit(2, parent: 1)
        await stage.journal.wait(for: "verify a 2")
        async let second = stage.commit(3, parent: 1)
        gate.open()
        #expect(await first.version == 2)
        let refusal = try #require(await second.refusal)
        #expect(refusal.reason == .stale)
        #expect(refusal.problem == "the change was planned beside version 1, but version 2 runs")
        #expect(stage.live == [2, 2])
        #expect(!stage.journal.entries.contains("prepare a 3"))
    }

    @Test("a second commit starts when the first has ended, however that ended")
    func secondAfterRefusal() async throws {
        let stage = try Stage(["a": [], "b": []])
        try await stage.start()
        let gate = Gate()
        stage["a"].on(.prepare, 2, .hang(gate))
        stage["b"].on(.prepare, 2, .fail(ServiceRefusal("no")))
        async let first = stage.commit(2, parent: 1)
        await stage.journal.wait(for: "prepare a 2")
        async let second = stage.commit(3, parent: 1)
        gate.open()
        #expect(await first.refusal?.reason == .service)
        #expect(await second.version == 2)
        let entries = stage.journal.entries
        let end = try #require(entries.firstIndex(of: "prepared a 2"))
        let start = try #require(entries.firstIndex(of: "prepare a 3"))
        #expect(end < start)
    }

    @Test("at most sixteen wait")
    func bounded() async throws {
        let stage = try Stage(["a": []])
        let gate = Gate()
        stage["a"].on(.prepare, 1, .wait(gate))
        let reasons = await withTaskGroup(of: CommitFailure.Reason?.self) { group in
            for _ in 0..<20 {
                group.addTask { await stage.commit(.all(1, ["a"]), ["a"], parent: 1).refusal?.reason }
            }
            var reasons: [CommitFailure.Reason?] = []
            for await reason in group {
                reasons.append(reason)
                if reasons.count == 3 { gate.open() }
            }
            return reasons
        }
        #expect(reasons.prefix(3) == [.busy, .busy, .busy])
        #expect(!reasons.dropFirst(3).contains(.busy))
    }

    @Test("a caller that gives up while it waits changes nothing")
    func cancelledWhileWaiting() async throws {
        let stage = try Stage(["a": []])
        let gate = Gate()
        stage["a"].on(.prepare, 1, .wait(gate))
        async let first = stage.commit(1)
        await stage.journal.wait(for: "prepare a 1")
        let second = Task { await stage.commit(2) }
        second.cancel()
        #expect(await second.value.refusal?.reason == .cancelled)
        gate.open()
        #expect(await first.version == 1)
        #expect(stage.live == [1])
    }

    @Test("a caller that gives up during prepare has it discarded, whether the service heeds it or not", arguments: [true, false])
    func cancelledInPrepare(heedsCancellation: Bool) async throws {
        let stage = try Stage(["a": [], "b": []])
        try await stage.start()
        let gate = Gate()
        stage["a"].on(.prepare, 2, heedsCancellation ? .wait(gate) : .hang(gate))
        let commit = Task { await stage.commit(2) }
        await stage.journal.wait { Set($0).isSuperset(of: ["prepare a 2", "prepared b 2"]) }
        commit.cancel()
        let refusal = try #require(await commit.value.refusal)
        #expect(refusal.reason == .cancelled)
        #expect(refusal.phase == .prepare)
        #expect(stage.live == [1, 1])
        #expect(!stage.journal.entries.contains("intend"))
        gate.open()
        if !heedsCancellation { await stage.journal.wait(for: "prepared a 2") }
        await stage.expectOnlyLiveRemain(untilRetired: heedsCancellation ? ["b 2"] : ["a 2", "b 2"])
    }

    @Test(
        "from the intent on, giving up comes too late: the transaction runs to its end",
        arguments: ["intend", "activate a 2", "verify b 2"])
    func cancelledLater(at entry: String) async throws {
        let stage = try Stage(["a": [], "b": []])
        try await stage.start()
        let gate = Gate()
        stage.recorder.hold(gate)
        stage["a"].on(.activate, 2, .wait(gate))
        stage["b"].on(.verify, 2, .wait(gate))
        let commit = Task { await stage.commit(2) }
        if entry != "intend" { gate.open() }
        await stage.journal.wait(for: entry)
        commit.cancel()
        gate.open()
        #expect(await commit.value.version == 2)
        #expect(stage.live == [2, 2])
        await stage.expectOnlyLiveRemain(untilRetired: [])
    }
}
