import Foundation
import GRDB
import PlueConfig

extension LedgerTransaction {
    /// Removes what the retention no longer keeps, and the documents nothing kept refers to.
    /// - Returns: How many attempts went.
    @discardableResult
    func prune(_ retention: Retention, at now: Date) throws -> Int {
        let cutoff = retention.cutoff(at: now).timeIntervalSinceReferenceDate
        let going = try Set(versionsGoing(retention, cutoff) + refusalsGoing(retention, cutoff))
        guard !going.isEmpty else { return 0 }
        let statement = try db.cachedStatement(sql: "DELETE FROM attempt WHERE id = ?")
        for id in going { try statement.execute(arguments: [id]) }
        try removeUnreferenced()
        try auditPruning(going)
        return going.count
    }

    private func versionsGoing(_ retention: Retention, _ cutoff: TimeInterval) throws -> [Int64] {
        guard let newest = try Int.fetchOne(db, sql: "SELECT max(version) FROM attempt"), newest > retention.versions
        else { return [] }
        // What may have to come back stays, and so does what is newer.
        let waiting = "SELECT min(fallback) FROM attempt WHERE confirm_by IS NOT NULL AND version IS NOT NULL"
        let fallback = try Int.fetchOne(db, sql: waiting) ?? .max
        // Kept numbers have no holes, so this is all but the newest `versions`.
        let rows = try Row.fetchCursor(
            db, sql: "SELECT id, at FROM attempt WHERE version <= ? ORDER BY version",
            arguments: [min(newest - retention.versions, fallback - 1)])
        var going: [Int64] = []
        while let row = try rows.next(), try row.value("at") < cutoff { going.append(try row.value("id")) }
        return going
    }

    private func refusalsGoing(_ retention: Retention, _ cutoff: TimeInterval) throws -> [Int64] {
        let refused = "FROM attempt WHERE version IS NULL AND outcome IS NOT NULL"
        return try Int64.fetchAll(
            db, sql: "SELECT id \(refused) ORDER BY id DESC LIMIT -1 OFFSET ?", arguments: [retention.refusals])
            // By when it was first met, which the audit log binds; whoever can set the last time cannot have it removed.
            + Int64.fetchAll(db, sql: "SELECT id \(refused) AND at < ?", arguments: [cutoff])
    }

    /// One pass over the kept trees: reference counts would cost every commit a write for each of its documents.
    private func removeUnreferenced() throws {
        guard var documents = try Marks(upTo: Int64.fetchOne(db, sql: "SELECT max(id) FROM document")),
            var names = try Marks(upTo: Int64.fetchOne(db, sql: "SELECT max(id) FROM name"))
        else { throw corrupt("a document has an id nobody counted to") }
        let trees = try Data.fetchCursor(
            db,
            sql: """
                SELECT tree FROM attempt WHERE tree IS NOT NULL UNION ALL SELECT replaced FROM attempt WHERE replaced IS NOT NULL
                UNION ALL SELECT written FROM attempt WHERE written IS NOT NULL
                """)
        while let packed = try trees.next() {
            // 0 stands for no document, and is nobody's id.
            for leaf in try tree(packed)?.leaves ?? [] {
                guard documents.mark(leaf.document), names.mark(leaf.name) else { throw corrupt("a document is gone") }
            }
        }
        let unreferenced = try Int64.fetchAll(db, sql: "SELECT id FROM document ORDER BY id DESC").filter { !documents[$0] }
        for id in unreferenced {
            for built in try Int64.fetchAll(db, sql: "SELECT id FROM document WHERE base = ?", arguments: [id])
            where documents[built] {
                try standAlone(built)
            }
        }
        // Newest first: a base goes after what is built on it.
        for id in unreferenced { try db.execute(sql: "DELETE FROM document WHERE id = ?", arguments: [id]) }
        for id in try Int64.fetchAll(db, sql: "SELECT id FROM name") where !names[id] {
            try db.execute(sql: "DELETE FROM name WHERE id = ?", arguments: [id])
        }
    }

    /// A kept document whose base goes is written out, so that nothing of what was pruned stays behind in it.
    private func standAlone(_ id: Int64) throws {
        try db.execute(
            sql: "UPDATE document SET base = NULL, depth = 0, head = NULL, tail = NULL, bytes = ? WHERE id = ?",
            arguments: [Data(try bytes(of: id)), id])
    }
}

/// Which row ids were seen. Ids are dense, so this is a fraction of a set's time and size over 100 000 trees.
private struct Marks {
    private var marked: [Bool]

    /// `nil` for an id beyond what counting up by one can reach: only damage makes one.
    init?(upTo highest: Int64?) {
        guard let count = Int(exactly: highest ?? 0), (0..<1 << 30).contains(count) else { return nil }
        marked = [Bool](repeating: false, count: count + 1)
    }

    /// `false` when there is no such id.
    mutating func mark(_ id: Int64) -> Bool {
        guard marked.indices.contains(Int(id)) else { return false }
        marked[Int(id)] = true
        return true
    }

    subscript(id: Int64) -> Bool { marked.indices.contains(Int(id)) && marked[Int(id)] }
}
