import Foundation
import GRDB
import PlueConfig
import TestGround
import Testing

@testable import PlueLedger

@Suite("The ledger and its twin in memory")
struct TwinTests {
    @Test("tell the same history after any sequence of calls", arguments: 1...12 as ClosedRange<UInt64>)
    func sameHistory(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let retention = Retention.keep(
            versions: .random(in: 2...12, using: &random), for: .seconds(.random(in: 0...40, using: &random) * 86_400),
            refusals: .random(in: 1...10, using: &random))
        try await withScratch { directory in
            let ledger = try Ledger.open(directory, retention: retention)
            let twin = MemoryRecorder(retention: retention)
            var tree = (0..<4).map { StoredDocument(name: "\($0).ini", bytes: Array("[s\($0)]\n".utf8)) }
            var running: Int?
            for step in 0..<150 {
                let at = Date.day(Double(step) / 2)
                switch Int.random(in: 0..<10, using: &random) {
                case 0...5:
                    tree = Self.edited(tree, step, &random)
                    let intent = Intent(
                        cause: Cause(.api, actor: "a", reason: "\(step)"), at: at, environment: .staging,
                        digest: DocumentDigest.of(tree, in: .staging), parent: running, documents: tree,
                        changedKeys: [SettingKey(section: "s", name: "k\(step)")])
                    let id = try await ledger.intend(intent)
                    #expect(try await twin.intend(intent) == id)
                    let outcome: Attempt.Outcome =
                        [.committed, .committed, .reverted, .degraded, .rejected]
                        .randomElement(using: &random) ?? .committed
                    let conclusion = Conclusion(
                        id: id, outcome: outcome, phase: .record, duration: .milliseconds(step), problem: "p\(step % 3)")
                    let version = try await ledger.conclude(conclusion)
                    #expect(try await twin.conclude(conclusion) == version)
                    running = version?.number ?? running
                case 6...7:
                    var refusal = Attempt.refusal("x\(Int.random(in: 0..<2, using: &random))", .file)
                    refusal.at = at
                    try await ledger.reject(refusal)
                    try await twin.reject(refusal)
                case 8:
                    try await ledger.prune(at: at)
                    twin.prune(at: at)
                default:
                    try await compare(ledger, twin)
                }
            }
            try await ledger.prune(at: .day(75))
            twin.prune(at: .day(75))
            try await compare(ledger, twin)
            #expect(try await integrity(of: ledger) == "ok")
        }
    }

    private func compare(_ ledger: Ledger, _ twin: MemoryRecorder) async throws {
        // Readers do not wait for the pruning a call left behind on the writer's queue.
        try await ledger.pool.writeWithoutTransaction { _ in }
        for includesRejected in [true, false] {
            let query = HistoryQuery(limit: 1_000, includesRejected: includesRejected)
            let left = try await ledger.history(query).entries
            let right = try await twin.history(query).entries
            try #require(left.map(\.attempt.id) == right.map(\.attempt.id))
            for (left, right) in zip(left, right) {
                #expect(left.attempt == right.attempt)
                #expect(left.version == right.version)
            }
            for number in left.compactMap(\.version?.number) {
                let documents = try await ledger.documents(of: number)
                #expect(try await twin.documents(of: number) == documents)
                #expect(documents != nil)
            }
        }
    }

    private static func edited(_ tree: [StoredDocument], _ step: Int, _ random: inout SeededGenerator) -> [StoredDocument] {
        var tree = tree
        let index = tree.indices.randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<6, using: &random) {
        case 0: tree[index].bytes = []
        case 1: tree[index].bytes = Array("[s]\n".utf8)
        case 2: if tree.count > 1 { tree.remove(at: index) }
        case 3: tree.append(StoredDocument(name: "n\(step).ini", bytes: tree[index].bytes))
        case 4: tree[index].bytes += Array(String(repeating: "key\(step) = value\n", count: 20).utf8)
        default:
            let place = Int.random(in: 0...tree[index].bytes.count, using: &random)
            tree[index].bytes.insert(contentsOf: "k\(step) = \(step)\n".utf8, at: place)
        }
        return tree
    }
}
