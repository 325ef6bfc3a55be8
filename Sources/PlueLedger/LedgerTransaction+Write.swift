import Foundation
import GRDB
import PlueConfig

extension LedgerTransaction {
    func intend(_ intent: Intent) throws -> Int {
        let parent = try intent.parent.flatMap(tree(ofVersion:)) ?? Tree()
        let stored = try store(intent.documents, parent: parent)
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO attempt
                    (parent, triggered_by, actor, reason, at, duration_ns, phase, outcome, digest, environment, changed_keys, tree)
                VALUES (?, ?, ?, ?, ?, 0, ?, NULL, ?, ?, ?, ?)
                """)
        try statement.execute(arguments: [
            intent.parent, intent.cause.trigger.rawValue, intent.cause.actor, intent.cause.reason,
            intent.at.timeIntervalSinceReferenceDate, Attempt.Phase.commit.rawValue, intent.digest,
            intent.environment.rawValue, try RecordedJSON.text(intent.changedKeys.map(RecordedKey.init)), Data(stored.packed),
        ])
        return Int(db.lastInsertedRowID)
    }

    func conclude(_ conclusion: Conclusion) throws -> HistoryPage.Entry {
        var number: Int?
        if conclusion.outcome == .committed {
            // Without gaps: the newest version is never pruned, and a number exists only together with its outcome.
            let newest = try Int.fetchOne(db, sql: "SELECT max(version) FROM attempt") ?? 0
            guard (0..<Int.max).contains(newest) else { throw corrupt("a version has the number \(newest)") }
            number = newest + 1
        }
        let statement = try db.cachedStatement(
            sql: """
                UPDATE attempt SET outcome = ?, version = ?, phase = ?, duration_ns = ?, problem = ?, services = ?
                WHERE id = ? AND outcome IS NULL
                """)
        try statement.execute(arguments: [
            conclusion.outcome.rawValue, number, conclusion.phase.rawValue, conclusion.duration.nanoseconds,
            conclusion.problem, try RecordedJSON.text(conclusion.services.map(RecordedService.init)), conclusion.id,
        ])
        guard db.changesCount == 1, let entry = try entry(ofAttempt: conclusion.id)
        else { throw LedgerError.notUnderWay(conclusion.id) }
        return entry
    }

    func reject(_ attempt: Attempt) throws {
        let refused = attempt.refused(as: 0)
        if let last = try newest(), refused.repeats(last.attempt) {
            try db.execute(
                sql: "UPDATE attempt SET times = times + 1, last_at = ? WHERE id = ?",
                arguments: [attempt.at.timeIntervalSinceReferenceDate, last.attempt.id])
            return
        }
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO attempt
                    (triggered_by, actor, reason, at, duration_ns, phase, outcome, problem, digest, environment, services,
                     diagnostics)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        try statement.execute(arguments: [
            refused.cause.trigger.rawValue, refused.cause.actor, refused.cause.reason,
            refused.at.timeIntervalSinceReferenceDate, refused.duration.nanoseconds, refused.phase.rawValue,
            Attempt.Outcome.rejected.rawValue, refused.problem, refused.digest, refused.environment.rawValue,
            try RecordedJSON.text(refused.services.map(RecordedService.init)),
            try RecordedJSON.text(refused.diagnostics.map(RecordedDiagnostic.init)),
        ])
    }

    /// Gives every attempt a dead process left under way its outcome.
    /// - Returns: Those attempts, oldest first.
    func recover() throws -> [Attempt] {
        let ids = try Int.fetchAll(db, sql: "SELECT id FROM attempt WHERE version IS NULL AND outcome IS NULL ORDER BY id")
        guard !ids.isEmpty else { return [] }
        try db.execute(
            sql: "UPDATE attempt SET outcome = ? WHERE version IS NULL AND outcome IS NULL",
            arguments: [Attempt.Outcome.interrupted.rawValue])
        return try ids.compactMap { try entry(ofAttempt: $0)?.attempt }
    }
}
