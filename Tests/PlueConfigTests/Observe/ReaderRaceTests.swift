import Foundation
import Logging
import Synchronization
import TestGround
import Testing

@testable import PlueConfig

/// Readers on threads of their own while thousands of commits replace what they read.
@Suite struct ReaderRaceTests {
    private static let commits = 10_000

    @Test(.timeLimit(.minutes(5))) func `Ten thousand commits tear no value, take no reader back in time, and leak no snapshot`()
        async throws
    {
        let number = Mutex(0)
        let source = MemorySource { environment in
            let number = number.withLock { $0 }
            return Candidate(
                environment: environment,
                texts: ["development.ini": "[pair]\nfirst = \(number)\nsecond = \(number)\nname = version \(number)\n"])
        }
        var options = ConfigManager<PairRoot>.Options()
        options.logger = quiet
        options.followsHangup = false
        let manager = try await ConfigManager(PairRoot.self, source: source, environment: .development, options: options)
        try await manager.start()

        let isOver = Atomic(false)
        let torn = Mutex<[String]>([])
        let reads = Atomic(0)
        let readers = DispatchGroup()
        let ways: [@Sendable (() -> Bool) -> Void] = [
            { isOver in
                var last = 0
                while !isOver() {
                    let seen = manager.read { ($0.pair.first, $0.pair.second, $0.pair.name) }
                    check(seen, &last)
                }
            },
            { isOver in
                var reader = manager.reader()
                var last = 0
                while !isOver() {
                    let seen = reader.read { ($0.pair.first, $0.pair.second, $0.pair.name) }
                    check(seen, &last)
                }
            },
            { isOver in
                var last = 0
                while !isOver() {
                    let pair = manager.current.pair
                    check((pair.first, pair.second, pair.name), &last)
                }
            },
            // A read inside a read keeps its own snapshot.
            { isOver in
                while !isOver() {
                    manager.read { outer in
                        let inner = manager.read { $0.pair.first }
                        if inner < outer.pair.first {
                            torn.withLock { $0.append("an inner read went back to \(inner) from \(outer.pair.first)") }
                        }
                        if outer.pair.first != outer.pair.second { torn.withLock { $0.append("torn after an inner read") } }
                    }
                    reads.add(1, ordering: .relaxed)
                }
            },
        ]
        @Sendable func check(_ seen: (first: Int, second: Int, name: String), _ last: inout Int) {
            reads.add(1, ordering: .relaxed)
            if seen.first != seen.second || seen.name != "version \(seen.first)" || seen.first < last {
                torn.withLock { if $0.count < 10 { $0.append("\(seen) after \(last)") } }
            }
            last = seen.first
        }
        for way in ways {
            readers.enter()
            Thread {
                way { isOver.load(ordering: .relaxed) }
                readers.leave()
            }.start()
        }

        var snapshots: [WeakSnapshot] = []
        snapshots.reserveCapacity(Self.commits)
        for commit in 1...Self.commits {
            number.withLock { $0 = commit }
            guard case .committed = try await manager.reload() else {
                Issue.record("commit \(commit) was refused")
                break
            }
            snapshots.append(WeakSnapshot(manager.snapshot))
        }
        isOver.store(true, ordering: .relaxed)
        await withCheckedContinuation { done in readers.notify(queue: .global()) { done.resume() } }

        #expect(torn.withLock { $0 } == [])
        #expect(reads.load(ordering: .relaxed) > Self.commits)
        #expect(manager.current.pair.first == Self.commits)
        // A thread that ends gives its snapshot back in its last moments; a thread of the pool keeps the last one it read.
        let deadline = ContinuousClock.now + .seconds(10)
        while snapshots.count(where: \.isAlive) > 8, ContinuousClock.now < deadline { await Task.yield() }
        #expect(snapshots.count(where: \.isAlive) <= 8)
    }
}

private struct WeakSnapshot {
    private weak var snapshot: Snapshot<PairRoot>?
    init(_ snapshot: Snapshot<PairRoot>) { self.snapshot = snapshot }
    var isAlive: Bool { snapshot != nil }
}

private struct PairRoot: Settings {
    struct Pair: Settings {
        var first = 0
        var second = 0
        var name = "version 0"

        static let schema = Schema<Self> {
            Setting("first", \.first)
            Setting("second", \.second)
            Setting("name", \.name)
        }
    }

    var pair = Pair()

    static let schema = Schema<Self> { Section("pair", \.pair) }
}
