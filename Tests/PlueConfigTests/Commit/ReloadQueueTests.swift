import Synchronization
import TestGround
import Testing

@testable import PlueConfig

@Suite("The queue of reloads", .timeLimit(.minutes(1)))
struct ReloadQueueTests {
    private let journal = Journal()
    private let gate = Gate()

    /// Each run's outcome is its number; the first waits for the gate.
    private func queue() -> ReloadQueue<Int> {
        let runs = Mutex(0)
        return ReloadQueue { [journal, gate] cause, isForced in
            let run = runs.withLock {
                $0 += 1; return $0
            }
            journal.add("run \(run) \(cause.trigger) \(cause.actor)\(isForced ? " forced" : "")")
            if run == 1 { await gate.pass() }
            return run
        }
    }

    @Test("requests that arrive during a run collapse into one run after it")
    func collapse() async {
        let queue = queue()
        async let first = queue.request(Cause(.file, actor: "file:0"))
        await journal.wait(for: "run 1 file file:0")
        let later = await withTaskGroup(of: Int.self) { group in
            for number in 0..<50 {
                group.addTask { await queue.request(Cause(.file, actor: "file:\(number)")) }
            }
            group.addTask { [gate] in
                while !Task.isCancelled, await queue.waitingCallers < 50 { await Task.yield() }
                gate.open()
                return 2
            }
            return await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(await first == 1)
        #expect(later == [2])
        #expect(journal.entries("run").count == 2)
    }

    @Test("a request on its own runs at once, again and again")
    func alone() async {
        gate.open()
        let queue = queue()
        for run in 1...3 { #expect(await queue.request(Cause(.signal, actor: "signal")) == run) }
    }

    @Test(
        "the history names the most explicit of those that collapse, of equals the first",
        arguments: [
            ([(Cause.Trigger.file, "a", false), (.api, "b", false), (.signal, "c", false)], "api b"),
            ([(.api, "a", false), (.command, "b", false)], "api a"),
            ([(.signal, "a", false), (.file, "b", false)], "signal a"),
            ([(.api, "a", false), (.signal, "b", true)], "signal b forced"),
            ([(.command, "a", true), (.api, "b", false)], "command a forced"),
        ])
    func merging(requests: [(Cause.Trigger, String, Bool)], expected: String) async {
        let queue = queue()
        async let first = queue.request(Cause(.start, actor: "system"))
        await journal.wait(for: "run 1 start system")
        await withTaskGroup { group in
            for (count, (trigger, actor, isForced)) in requests.enumerated() {
                group.addTask { _ = await queue.request(Cause(trigger, actor: actor), isForced: isForced) }
                while !Task.isCancelled, await queue.waitingCallers <= count { await Task.yield() }
            }
            gate.open()
        }
        _ = await first
        #expect(journal.entries("run").last == "run 2 \(expected)")
    }

    @Test("a caller that gives up does not end the run of the others")
    func cancelled() async {
        let queue = queue()
        let first = Task { await queue.request(Cause(.api, actor: "a")) }
        await journal.wait(for: "run 1 api a")
        first.cancel()
        async let second = queue.request(Cause(.api, actor: "b"))
        gate.open()
        #expect(await first.value == 1)
        #expect(await second == 2)
    }
}
