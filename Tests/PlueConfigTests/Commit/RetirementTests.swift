import Logging
import ServiceLifecycle
import TestGround
import Testing

@testable import PlueConfig

@Suite("Retiring what was replaced", .timeLimit(.minutes(1)))
struct RetirementTests {
    @Test("a slow client delays no transaction")
    func slow() async throws {
        let stage = try Stage(["a": []])
        let gate = Gate()
        stage["a"].on(.retire, 1, .hang(gate))
        try await stage.start()
        let draining = Task { await stage.committer.run() }
        #expect(await stage.commit(2).version == 2)
        await stage.journal.wait(for: "retire a 1")
        #expect(await stage.commit(3).version == 3)
        await stage.journal.wait(for: "retired a 2")
        while !Task.isCancelled, await stage.committer.serviceStates.map(\.draining) != [1] { await Task.yield() }
        #expect(!stage.journal.entries.contains("retired a 1"))
        gate.open()
        await stage.journal.wait(for: "retired a 1")
        draining.cancel()
        await draining.value
    }

    @Test("those that depend on others are retired before them, each level together")
    func reverseOrder() async throws {
        let stage = try Stage(["database": [], "cache": [], "http": ["database", "cache"]])
        let gate = Gate()
        stage["http"].on(.retire, 1, .wait(gate))
        stage["database"].on(.retire, 1, .wait(gate))
        stage["cache"].on(.retire, 1, .wait(gate))
        try await stage.start()
        _ = await stage.commit(2)
        let draining = Task { await stage.committer.run() }
        await stage.journal.wait(for: "retire http 1")
        #expect(stage.journal.entries("retire") == ["retire http 1"])
        gate.open()
        await stage.journal.wait { Set($0).isSuperset(of: ["retired cache 1", "retired database 1"]) }
        #expect(stage.journal.entries.filter { $0.hasPrefix("retire") }.prefix(2) == ["retire http 1", "retired http 1"])
        draining.cancel()
        await draining.value
    }

    @Test("of one service two generations drain at most: the oldest is cut")
    func generations() async throws {
        let stage = try Stage(["a": [], "b": []])
        for number in 1...3 { stage["a"].on(.retire, number, .wait(Gate())) }
        try await stage.start()
        let draining = Task { await stage.committer.run() }
        for number in 2...3 {
            _ = await stage.commit(.all(number, ["a"]), ["a"])
            await stage.journal.wait(for: "retire a \(number - 1)")
        }
        #expect(stage.journal.entries("retired").isEmpty)
        _ = await stage.commit(.all(4, ["a"]), ["a"])
        await stage.journal.wait(for: "retired a 1")
        await stage.journal.wait(for: "retire a 3")
        #expect(stage.journal.entries("retired") == ["retired a 1"])
        draining.cancel()
        await draining.value
        #expect(Set(stage.journal.entries("retired")) == ["retired a 1", "retired a 2", "retired a 3"])
    }

    @Test("an instance that drains too long is cut at the net's deadline, and left behind when it ignores that")
    func deadline() async throws {
        let stage = try Stage(["a": []])
        let gate = Gate()
        stage["a"].on(.retire, 1, .hang(gate))
        try await stage.start()
        let draining = Task { await stage.committer.run() }
        _ = await stage.commit(2)
        await stage.journal.wait(for: "retire a 1")
        await stage.clock.wait(forSleepers: 1)
        stage.clock.advance(by: .seconds(60))
        // Now its five seconds of grace run.
        await stage.clock.wait(forSleepers: 1)
        stage.clock.advance(by: .seconds(5))
        while !Task.isCancelled, await stage.committer.serviceStates.contains(where: { $0.draining > 0 }) { await Task.yield() }
        draining.cancel()
        await draining.value
        gate.open()
    }

    @Test("graceful shutdown lets what drains finish")
    func graceful() async throws {
        let stage = try Stage(["a": []])
        let gate = Gate()
        stage["a"].on(.retire, 1, .wait(gate))
        try await stage.start()
        _ = await stage.commit(2)
        let group = ServiceGroup(services: [Draining(committer: stage.committer)], logger: stage.logger)
        async let ended: Void = group.run()
        await stage.journal.wait(for: "retire a 1")
        await group.triggerGracefulShutdown()
        gate.open()
        try await ended
        #expect(stage.journal.entries("retired") == ["retired a 1"])
        #expect(stage.live == [2])
    }

    private struct Draining: Service {
        let committer: Committer<Numbers>
        func run() async throws { await committer.run() }
    }

    @Test("shutting down retires everything, those that depend on others first, and refuses what comes later")
    func shutDown() async throws {
        let stage = try Stage(["database": [], "http": ["database"]])
        try await stage.start()
        _ = await stage.commit(2)
        stage.journal.clear()
        await stage.committer.shutDown()
        let retired = stage.journal.entries("retired")
        #expect(Set(retired.prefix(2)) == ["retired http 1", "retired http 2"])
        #expect(Set(retired.suffix(2)) == ["retired database 1", "retired database 2"])
        #expect(await stage.commit(3).refusal?.reason == .shutDown)
        #expect(stage.services.flatMap(\.wrongRetirements).isEmpty)
        await stage.committer.shutDown()
        #expect(stage.journal.entries("retired").count == 4)
    }

    @Test("shutting down waits for the transaction under way")
    func shutDownWaits() async throws {
        let stage = try Stage(["a": []])
        let gate = Gate()
        stage["a"].on(.verify, 1, .wait(gate))
        async let outcome = stage.commit(1)
        await stage.journal.wait(for: "verify a 1")
        async let down: Void = stage.committer.shutDown()
        while !Task.isCancelled, await stage.commit(9).refusal?.reason != .shutDown { await Task.yield() }
        #expect(stage.journal.entries("retire").isEmpty)
        gate.open()
        #expect(await outcome.version == 1)
        await down
        #expect(stage.journal.entries("retired") == ["retired a 1"])
    }
}
