import Foundation
import GRDB
import PlueConfig
import SystemPackage
import TestGround
import Testing

@testable import PlueLedger

@Suite("Documents")
struct DocumentTests {
    @Test("are stored once, whatever name and version they have")
    func once() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory)
            try await ledger.commit("a = 1", name: "base.ini")
            try await ledger.commit("a = 2", name: "base.ini", parent: 1)
            try await ledger.commit("a = 1", name: "production.ini", parent: 2)
            try await ledger.commit("a = 1", name: "base.ini", parent: 3)
            let count = try await ledger.pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM document") }
            #expect(count == 2)
            #expect(try await ledger.documents(of: 3) == [StoredDocument(name: "production.ini", bytes: Array("a = 1".utf8))])
        }
    }

    @Test("that changed by a line cost that line")
    func changedByALine() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory)
            for number in 1...100 {
                let text = (0..<1_000).map { "key\($0) = \($0 == number * 7 ? "changed" : "value")" }.joined(separator: "\n")
                try await ledger.commit(text, parent: number > 1 ? number - 1 : nil)
            }
            let bytes = try await ledger.pool.read { try Int.fetchOne($0, sql: "SELECT sum(length(bytes)) FROM document") } ?? 0
            #expect(bytes < 250_000)  // 100 whole ones are 1 700 000
            let depth = try await ledger.pool.read { try Int.fetchOne($0, sql: "SELECT max(depth) FROM document") }
            #expect(depth == DocumentDelta.longestChain)
        }
    }

    @Test(
        "that were tampered with are refused, not served",
        arguments: [
            "UPDATE document SET bytes = 'b = 1'", "UPDATE document SET base = 1, head = 1, tail = 0 WHERE id = 2",
            "UPDATE document SET base = 1, head = 99, tail = -3 WHERE id = 2", "DELETE FROM document",
            "DELETE FROM name", "UPDATE attempt SET tree = x'ff'", "UPDATE attempt SET tree = x'01'",
        ])
    func tampered(sql: String) async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory)
            try await ledger.commit("a = 1")
            try await ledger.commit("a = 2", parent: 1)
            try await ledger.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA foreign_keys = OFF; " + sql) }
            let error = await #expect(throws: LedgerError.self) { try await ledger.documents(of: 2) }
            guard case .corrupt = error else { Issue.record("\(String(describing: error))"); return }
        }
    }

    @Test("a delta gives back what it was made of, whatever the two have in common")
    func deltas() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<2_000 {
            let base = (0..<Int.random(in: 0...600, using: &random)).map { _ in UInt8.random(in: 0...3, using: &random) }
            var target = base
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let place = Int.random(in: 0...target.count, using: &random)
                let end = Int.random(in: place...min(place + 20, target.count), using: &random)
                target.replaceSubrange(place..<end, with: repeatElement(1, count: .random(in: 0...20, using: &random)))
            }
            guard let delta = DocumentDelta(from: base, to: target) else { continue }
            #expect(delta.applied(to: base) == target)
            #expect(delta.middle.count <= target.count / 2)
        }
        #expect(DocumentDelta(head: 3, tail: 3, middle: []).applied(to: [1, 2, 3]) == nil)
        #expect(DocumentDelta(head: -1, tail: 0, middle: []).applied(to: [1]) == nil)
    }

    @Test(
        "a packed tree unpacks to itself; other bytes to nothing",
        arguments: [
            [], [1], [127, 128], [129, 300, 16_384], [.max, 0, -1],
        ] as [[Int64]])
    func trees(numbers: [Int64]) {
        var tree = Tree()
        tree.leaves = numbers.map { Tree.Leaf(name: $0, document: $0 ^ 1) }
        #expect(Tree(packed: tree.packed) == tree)
        #expect(Tree(packed: tree.packed + [1]) == nil)
        #expect(Tree(packed: tree.packed + [0x80]) == nil)
        #expect(Tree(packed: Array(repeating: 0xff, count: 30)) == nil)
    }
}

@Suite("The documents' digest")
struct DocumentDigestTests {
    let documents = [
        StoredDocument(name: "base.ini", bytes: Array("[server]\nport = 80\n".utf8)),
        StoredDocument(name: "Production.ini", bytes: []),
        StoredDocument(name: "é.ini", bytes: [0, 255]),
    ]

    @Test("is what an independent program computes, in any order of the documents")
    func vectors() {
        #expect(DocumentDigest.of(documents, in: .production) == "sha256:bb5824db8415b83a9a2a9755d3042f5e2767c730fc930fee349c832c859eb68d")
        #expect(
            DocumentDigest.of(documents.reversed(), in: .production)
                == "sha256:bb5824db8415b83a9a2a9755d3042f5e2767c730fc930fee349c832c859eb68d")
        #expect(DocumentDigest.of([], in: .production) == "sha256:4b2af4f0d55e292f701193d978d747ef743d509b38861ff6757fd49e9a312c03")
    }

    @Test("changes when a byte moves from one part into its neighbour")
    func boundaries() {
        func digest(_ parts: [(String, String)], _ environment: EnvironmentName = "e") -> String {
            DocumentDigest.of(parts.map { StoredDocument(name: $0.0, bytes: Array($0.1.utf8)) }, in: environment)
        }
        let digests: [String] = [
            digest([("ab", "c")]), digest([("a", "bc")]), digest([("abc", "")]), digest([("a", "b"), ("c", "")]),
            digest([("ab", "c")], "ea"), digest([("b", "c")], "ea"), digest([("ab", "c"), ("", "")]), digest([]),
            // Canonically equal to Swift's String, but not the same bytes.
            digest([("\u{e9}", "c")]), digest([("e\u{301}", "c")]),
        ]
        #expect(Set(digests).count == digests.count)
    }
}
