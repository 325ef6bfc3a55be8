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
                    (parent, triggered_by, actor, reason, at, duration_ns, phase, outcome, digest, environment, changed_keys, tree,
                     replaced, written, unrestored, confirm_by, fallback)
                VALUES (?, ?, ?, ?, ?, 0, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        let written = try store(intent.writes, parent: parent)
        try statement.execute(arguments: [
            intent.parent, intent.cause.trigger.rawValue, intent.cause.actor, intent.cause.reason,
            intent.at.timeIntervalSinceReferenceDate, Attempt.Phase.commit.rawValue, intent.digest,
            intent.environment.rawValue, try RecordedJSON.text(intent.changedKeys.map(RecordedKey.init)), Data(stored.packed),
            written.map { Data($0.before.packed) }, written.map { Data($0.after.packed) }, written != nil,
            intent.confirmation?.deadline.timeIntervalSinceReferenceDate, intent.confirmation?.fallback,
        ])
        let id = Int(db.lastInsertedRowID)
        try auditIntent(intent, id)
        return id
    }

    func conclude(_ conclusion: Conclusion) throws -> HistoryPage.Entry {
        var number: Int?
        if conclusion.outcome == .committed {
            // Without gaps: the newest version is never pruned, and a number exists only together with its outcome.
            let newest = try value(Int.self, "SELECT max(version) FROM attempt") ?? 0
            guard (0..<Int.max).contains(newest) else { throw corrupt("a version has the number \(newest)") }
            number = newest + 1
        }
        let statement = try db.cachedStatement(
            sql: """
                UPDATE attempt SET outcome = ?, version = ?, phase = ?, duration_ns = ?, problem = ?, services = ?,
                    unrestored = unrestored AND ?
                WHERE id = ? AND outcome IS NULL
                """)
        if number != nil {
            // A version that follows takes over: whoever asked for it knew that the one before it waits, and what was not put
            // back before it is part of it, or was overwritten by it.
            try run(
                """
                UPDATE attempt SET confirm_by = NULL WHERE confirm_by IS NOT NULL AND version IS NOT NULL
                    AND environment = (SELECT environment FROM attempt WHERE id = ?)
                """, [conclusion.id])
            try run("UPDATE attempt SET unrestored = 0 WHERE unrestored AND id < ?", [conclusion.id])
        }
        try statement.execute(arguments: [
            conclusion.outcome.rawValue, number, conclusion.phase.rawValue, conclusion.duration.nanoseconds,
            conclusion.problem, try RecordedJSON.text(conclusion.services.map(RecordedService.init)),
            number == nil && !conclusion.isRestored, conclusion.id,
        ])
        guard db.changesCount == 1, let entry = try entry(ofAttempt: conclusion.id)
        else { throw LedgerError.notUnderWay(conclusion.id) }
        try auditOutcome(entry.attempt)
        return entry
    }

    func reject(_ attempt: Attempt) throws {
        let refused = attempt.refused(as: 0)
        if let last = try newest(), refused.repeats(last.attempt) {
            try db.execute(
                sql: "UPDATE attempt SET times = times + 1, last_at = ? WHERE id = ?",
                arguments: [attempt.at.timeIntervalSinceReferenceDate, last.attempt.id])
            let times = try Int.fetchOne(db, sql: "SELECT times FROM attempt WHERE id = ?", arguments: [last.attempt.id])
            try auditRepetition(last.attempt.id, times: times ?? 1)
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
        try auditRejection(Int(db.lastInsertedRowID), refused)
    }

    func unfinishedWrites() throws -> [UnfinishedWrite] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT id, replaced, written FROM attempt WHERE unrestored AND outcome IS NOT NULL
                    AND id > (SELECT coalesce(max(id), 0) FROM attempt WHERE version IS NOT NULL) ORDER BY id
                """)
        return try rows.map { row in
            UnfinishedWrite(
                attempt: try row.value("id"),
                changes: try changes(from: try tree(try row.value("replaced")), to: try tree(try row.value("written"))))
        }
    }

    func restored(_ attempt: Int) throws {
        try db.execute(sql: "UPDATE attempt SET unrestored = 0 WHERE id = ?", arguments: [attempt])
        try auditRestored(attempt)
    }

    func pendingConfirmation(of environment: EnvironmentName) throws -> Confirmation? {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT version, fallback, confirm_by FROM attempt WHERE confirm_by IS NOT NULL AND version IS NOT NULL
                    AND environment = ? ORDER BY id DESC LIMIT 1
                """, arguments: [environment.rawValue])
        return try row.map { row in
            Confirmation(
                version: try row.value("version"), fallback: try row.value("fallback"),
                deadline: Date(timeIntervalSinceReferenceDate: try row.value("confirm_by")))
        }
    }

    func endConfirmation(of version: Int, by cause: Cause) throws {
        try db.execute(sql: "UPDATE attempt SET confirm_by = NULL WHERE version = ?", arguments: [version])
        try auditConfirmation(of: version, by: cause)
    }

    /// Gives every attempt a dead process left under way its outcome.
    /// - Returns: Those attempts, oldest first.
    func recover() throws -> [Attempt] {
        let ids = try Int.fetchAll(db, sql: "SELECT id FROM attempt WHERE version IS NULL AND outcome IS NULL ORDER BY id")
        guard !ids.isEmpty else { return [] }
        try db.execute(
            sql: "UPDATE attempt SET outcome = ? WHERE version IS NULL AND outcome IS NULL",
            arguments: [Attempt.Outcome.interrupted.rawValue])
        let attempts = try ids.compactMap { try entry(ofAttempt: $0)?.attempt }
        for attempt in attempts { try auditOutcome(attempt) }
        return attempts
    }
}
