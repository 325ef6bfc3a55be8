import Foundation
import GRDB
import PlueConfig

/// Changes that wait for approval.
extension LedgerTransaction {
    func proposals(of environment: EnvironmentName, at now: Date) throws -> [StoredProposal] {
        let rows = try Row.fetchAll(
            db, sql: "SELECT * FROM proposal WHERE environment = ? AND expires_at > ? ORDER BY id",
            arguments: [environment.rawValue, now.timeIntervalSinceReferenceDate])
        return try rows.map { row in
            StoredProposal(
                id: try row.value("id"), hash: try row.value("hash"), environment: environment, version: try row.value("version"),
                actor: try row.value("actor"), reason: try row.value("reason"),
                at: Date(timeIntervalSinceReferenceDate: try row.value("at")),
                expiresAt: Date(timeIntervalSinceReferenceDate: try row.value("expires_at")), change: try row.value("change"),
                plan: try row.value("plan"))
        }
    }

    func add(_ proposal: StoredProposal, atMost most: Int, by cause: Cause) throws -> Int? {
        try db.execute(
            sql: "DELETE FROM proposal WHERE expires_at <= ?", arguments: [proposal.at.timeIntervalSinceReferenceDate])
        guard try Int.fetchOne(db, sql: "SELECT count(*) FROM proposal") ?? 0 < most else { return nil }
        try db.execute(
            sql: """
                INSERT INTO proposal (hash, environment, version, actor, reason, at, expires_at, change, plan)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                proposal.hash, proposal.environment.rawValue, proposal.version, proposal.actor, proposal.reason,
                proposal.at.timeIntervalSinceReferenceDate, proposal.expiresAt.timeIntervalSinceReferenceDate, proposal.change,
                proposal.plan,
            ])
        let id = Int(db.lastInsertedRowID)
        try auditEvent("proposal") { entry in
            entry.add(cause)
            entry.add("proposal", id)
            entry.add("environment", proposal.environment.rawValue)
            entry.add("parent", proposal.version)
            entry.add("plan", proposal.hash)
        }
        return id
    }

    func removeProposal(_ id: Int, by cause: Cause?) throws -> Bool {
        try db.execute(sql: "DELETE FROM proposal WHERE id = ?", arguments: [id])
        guard db.changesCount == 1 else { return false }
        guard let cause else { return true }
        try auditEvent("withdrawal") { entry in
            entry.add(cause)
            entry.add("proposal", id)
        }
        return true
    }
}
