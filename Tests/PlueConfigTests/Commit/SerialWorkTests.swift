import TestGround
import Testing

@testable import PlueConfig

@Suite("Work that takes turns", .timeLimit(.minutes(1)))
struct SerialWorkTests {
    private let work = SerialWork()
    private let journal = Journal()

    @Test("what comes second begins when the first has ended, also when nobody waits for that any more")
    func turns() async throws {
        let gate = Gate()
        let first = Task { [work, journal] in
            try await work.run {
                journal.add("first begins")
                await gate.pass()
                journal.add("first ends cancelled \(Task.isCancelled)")
            }
        }
        await journal.wait(for: "first begins")
        first.cancel()
        let second = Task { [work, journal] in try await work.run { journal.add("second") } }
        // Time enough for it to overtake, if it could.
        for _ in 0..<1_000 { await Task.yield() }
        gate.open()
        try await first.value
        try await second.value
        #expect(journal.entries == ["first begins", "first ends cancelled true", "second"])
    }

    @Test("what fails hands its turn on")
    func failure() async throws {
        await #expect(throws: ServiceRefusal("no")) { try await work.run { throw ServiceRefusal("no") } }
        #expect(try await work.run { 2 } == 2)
    }
}
