import SystemPackage
import Testing

@testable import PlueConfig

@Suite("A refused transaction", .timeLimit(.minutes(1)))
struct RefusalTests {
    static let names = ["a", "b", "c", "d"]
    /// a and b below, c over both, d over c.
    private func stage() async throws -> Stage {
        let stage = try Stage(["a": [], "b": [], "c": ["a", "b"], "d": ["c"]])
        try await stage.start()
        return stage
    }

    @Test("a service that cannot prepare moves nobody", arguments: names)
    func prepareFails(_ name: String) async throws {
        let stage = try await stage()
        stage[name].on(.prepare, 2, .fail(ServiceRefusal("the port is taken")))
        let refusal = try #require(await stage.commit(2).refusal)
        #expect(refusal.reason == .service)
        #expect(refusal.phase == .prepare)
        #expect(refusal.problem == "\(name): the port is taken")
        #expect(refusal.attempt == nil)
        #expect(refusal.services.map(\.outcome) == Self.names.map { $0 == name ? .failed : .discarded })
        #expect(stage.live == [1, 1, 1, 1])
        #expect(stage.journal.entries("activate").isEmpty)
        #expect(!stage.journal.entries.contains("intend"))
        await stage.expectOnlyLiveRemain()
    }

    @Test("a service that does not pass its verification takes everyone back", arguments: names)
    func verifyFails(_ name: String) async throws {
        let stage = try await stage()
        stage[name].on(.verify, 2, .fail(ServiceRefusal("nobody answers")))
        let refusal = try #require(await stage.commit(2).refusal)
        #expect(refusal.phase == .verify)
        #expect(refusal.problem == "\(name): nobody answers")
        #expect(refusal.attempt == 2)
        #expect(refusal.services.map(\.outcome) == Self.names.map { $0 == name ? .failed : .reverted })
        #expect(stage.live == [1, 1, 1, 1])
        #expect(
            stage.journal.entries("activate") == [
                "activate a 2", "activate b 2", "activate c 2", "activate d 2",
                "activate d 1", "activate c 1", "activate b 1", "activate a 1",
            ])
        #expect(stage.recorder.conclusions.last?.outcome == .reverted)
        #expect(stage.recorder.conclusions.last?.phase == .verify)
        #expect(stage.recorder.conclusions.last?.problem == "\(name): nobody answers")
        await stage.expectOnlyLiveRemain()
    }

    @Test("all that refuse at one level say so")
    func everyReason() async throws {
        let stage = try await stage()
        stage["a"].on(.prepare, 2, .fail(ServiceRefusal("no login")))
        stage["b"].on(.prepare, 2, .fail(Errno.addressInUse))
        stage["c"].on(.prepare, 2, .fail(ServiceRefusal("never asked")))
        let refusal = try #require(await stage.commit(2).refusal)
        #expect(refusal.problem == "a: no login; b: \(Errno.addressInUse.description)")
        #expect(!stage.journal.entries.contains("prepare c 2"))
    }

    @Test("after a refusal the next transaction starts from what runs")
    func nextAfterRefusal() async throws {
        let stage = try await stage()
        stage["c"].on(.verify, 2, .fail(ServiceRefusal("no")))
        _ = try #require(await stage.commit(2).refusal)
        #expect(await stage.commit(3).version == 2)
        #expect(stage.live == [3, 3, 3, 3])
        await stage.expectOnlyLiveRemain()
    }

    @Test("when the old does not work either, the outcome is degraded and says which")
    func degraded() async throws {
        let stage = try await stage()
        stage["c"].on(.verify, 2, .fail(ServiceRefusal("no")))
        stage["b"].on(.verify, 1, .fail(ServiceRefusal("gone")))
        let failure = try #require(await stage.commit(2).degradation)
        #expect(failure.problem == "c: no; b: what ran before was swapped back and does not work either: gone")
        #expect(failure.services.map(\.outcome) == [.reverted, .failed, .failed, .reverted])
        #expect(failure.attempt == 2)
        #expect(stage.live == [1, 1, 1, 1])
        #expect(stage.recorder.conclusions.last?.outcome == .degraded)
        #expect(await stage.committer.serviceStates.map(\.isDegraded) == [false, true, false, false])
        #expect(await stage.commit(3).version == 2)
        #expect(await stage.committer.serviceStates.map(\.isDegraded) == [false, false, false, false])
        #expect(await stage.committer.serviceStates.map(\.version) == [2, 2, 2, 2])
    }

    @Test("a first start that does not pass is retired, and nothing of it comes back")
    func firstStart() async throws {
        let stage = try Stage(["a": [], "b": ["a"]])
        stage["b"].on(.verify, 1, .fail(ServiceRefusal("no")))
        let refusal = try #require(await stage.commit(1).refusal)
        #expect(refusal.services.map(\.outcome) == [.reverted, .failed])
        #expect(stage.journal.entries("activate") == ["activate a 1", "activate b 1"])
        // Now a second try that fails: the services still return the retired instances from their activate.
        stage["b"].on(.verify, 2, .fail(ServiceRefusal("no")))
        _ = try #require(await stage.commit(2).refusal)
        #expect(stage.journal.entries("activate").suffix(2) == ["activate a 2", "activate b 2"])
        await stage.committer.shutDown()
        #expect(stage.services.flatMap(\.wrongRetirements).isEmpty)
        #expect(stage.services.flatMap(\.unretired).isEmpty)
        #expect(stage.journal.entries("retire").count == 4)
    }

    @Test("the text of an error is shown only when the service means it to be")
    func secrets() async throws {
        let stage = try await stage()
        stage["a"].on(.prepare, 2, .fail(DiskFull()))
        let refusal = try #require(await stage.commit(2).refusal)
        #expect(refusal.problem == "a: failed with DiskFull, whose text is not shown because it may hold a secret")
        #expect(publicSentence(for: ServiceRefusal("one\ntwo\u{1b}[31m")) == "one two [31m")
        #expect(publicSentence(for: ServiceRefusal(String(repeating: "x", count: 5000))).count == 1001)
    }
}

@Suite("A transaction that cannot be recorded or written", .timeLimit(.minutes(1)))
struct RecordFailureTests {
    private func stage() async throws -> Stage {
        let stage = try Stage(["a": [], "b": ["a"]])
        try await stage.start()
        return stage
    }

    @Test("an intent that cannot be written lets nothing be activated")
    func intend() async throws {
        let stage = try await stage()
        stage.recorder.fail([.intend])
        let refusal = try #require(await stage.commit(2).refusal)
        #expect(refusal.reason == .notRecorded)
        #expect(refusal.attempt == nil)
        #expect(refusal.services.map(\.outcome) == [.discarded, .discarded])
        #expect(!refusal.problem.contains("hunter2"))
        #expect(stage.journal.entries("activate").isEmpty)
        #expect(stage.live == [1, 1])
        await stage.expectOnlyLiveRemain()
    }

    @Test("how it ended is recorded before the next one begins, when it could not be at once")
    func untold() async throws {
        let stage = try await stage()
        stage.recorder.fail([.everyConclude])
        #expect(await stage.commit(2).refusal != nil)
        #expect(await stage.commit(2).refusal?.reason == .notRecorded)
        stage.recorder.fail([])
        #expect(await stage.commit(2).refusal == nil)
        #expect(stage.recorder.conclusions.map(\.outcome) == [.committed, .reverted, .committed])
        await stage.expectOnlyLiveRemain()
    }

    @Test("a commit point that cannot be written takes everyone back", arguments: [ScriptedRecorder.Failing.conclude, .everyConclude])
    func conclude(_ failing: ScriptedRecorder.Failing) async throws {
        let stage = try await stage()
        stage.recorder.fail([failing])
        let refusal = try #require(await stage.commit(2).refusal)
        #expect(refusal.reason == .notRecorded)
        #expect(refusal.phase == .record)
        #expect(refusal.services.map(\.outcome) == [.reverted, .reverted])
        #expect(stage.journal.entries("conclude") == ["conclude committed", "conclude reverted"])
        #expect(stage.live == [1, 1])
        await stage.expectOnlyLiveRemain()
    }

    @Test("the documents are written after the verification and before the commit point")
    func writeBack() async throws {
        let stage = try await stage()
        let journal = stage.journal
        #expect(
            await stage.commit(2, writingBack: WriteBack(write: { journal.add("write") }, restore: { journal.add("restore") })).version == 2
        )
        #expect(
            journal.entries.suffix(3) == ["verify b 2", "write", "conclude committed"]
                || journal.entries.suffix(3) == ["verify a 2", "write", "conclude committed"])
    }

    @Test("documents that cannot be written take everyone back")
    func unwritable() async throws {
        let stage = try await stage()
        let journal = stage.journal
        let refusal = try #require(
            await stage.commit(2, writingBack: WriteBack(write: { throw Busy() }, restore: { journal.add("restore") })).refusal)
        #expect(refusal.reason == .notWritten)
        #expect(refusal.phase == .commit)
        #expect(stage.live == [1, 1])
        #expect(!journal.entries.contains("conclude committed"))
        #expect(journal.entries.contains("restore"), "it may have stopped halfway")
    }

    @Test("written documents are taken back when the commit point cannot be written")
    func restore() async throws {
        let stage = try await stage()
        let journal = stage.journal
        stage.recorder.fail([.conclude])
        let writeBack = WriteBack(write: { journal.add("write") }, restore: { journal.add("restore") })
        _ = try #require(await stage.commit(2, writingBack: writeBack).refusal)
        #expect(journal.entries.contains("restore"))
    }

    @Test("documents that cannot be taken back are a degraded outcome")
    func unrestorable() async throws {
        let stage = try await stage()
        stage.recorder.fail([.conclude])
        let failure = try #require(await stage.commit(2, writingBack: WriteBack(write: {}, restore: { throw DiskFull() })).degradation)
        #expect(failure.problem.contains("the former documents could not be written back"))
        #expect(stage.live == [1, 1])
    }
}

private struct Busy: Error {}
