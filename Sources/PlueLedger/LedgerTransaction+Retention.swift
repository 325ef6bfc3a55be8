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
        return going.count
    }

    private func versionsGoing(_ retention: Retention, _ cutoff: TimeInterval) throws -> [Int64] {
        guard let newest = try Int.fetchOne(db, sql: "SELECT max(version) FROM attempt") else { return [] }
        // Kept numbers have no holes, so this is all but the newest `versions`.
        let rows = try Row.fetchCursor(
            db, sql: "SELECT id, at FROM attempt WHERE version <= ? ORDER BY version",
            arguments: [newest - retention.versions])
        var going: [Int64] = []
        while let row = try rows.next(), row["at"] < cutoff { going.append(row["id"]) }
        return going
    }

    private func refusalsGoing(_ retention: Retention, _ cutoff: TimeInterval) throws -> [Int64] {
        let refused = "FROM attempt WHERE version IS NULL AND outcome IS NOT NULL"
        return try Int64.fetchAll(
            db, sql: "SELECT id \(refused) ORDER BY id DESC LIMIT -1 OFFSET ?", arguments: [retention.refusals])
            + Int64.fetchAll(db, sql: "SELECT id \(refused) AND coalesce(last_at, at) < ?", arguments: [cutoff])
    }

    /// One pass over the kept trees: reference counts would cost every commit a write for each of its documents.
    private func removeUnreferenced() throws {
        var documents: Set<Int64> = []
        var names: Set<Int64> = []
        let trees = try Data.fetchCursor(db, sql: "SELECT tree FROM attempt WHERE tree IS NOT NULL")
        while let packed = try trees.next() {
            for leaf in try tree(packed)?.leaves ?? [] {
                documents.insert(leaf.document)
                names.insert(leaf.name)
            }
        }
        let rows = try Row.fetchAll(db, sql: "SELECT id, base FROM document ORDER BY id DESC")
        for row in rows {
            guard documents.contains(row["id"]), let base: Int64 = row["base"], !documents.contains(base) else { continue }
            try standAlone(row["id"])
        }
        // Newest first: a base goes after what is built on it.
        for id in rows.map({ $0["id"] as Int64 }) where !documents.contains(id) {
            try db.execute(sql: "DELETE FROM document WHERE id = ?", arguments: [id])
        }
        for id in try Int64.fetchAll(db, sql: "SELECT id FROM name") where !names.contains(id) {
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
