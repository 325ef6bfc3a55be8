import Foundation
import GRDB
import PlueConfig

extension LedgerTransaction {
    /// Without `diagnostics` and `tree` at hand, SQLite never reads the pages a large one spills over to.
    private static let columns = """
        id, version, parent, triggered_by, actor, reason, at, duration_ns, phase, outcome, problem, digest, environment,
        changed_keys, services, diagnostics
        """

    func history(_ query: HistoryQuery) throws -> HistoryPage {
        if let number = query.version {
            let entries = try self.entries("WHERE version = ?", [number])
            return HistoryPage(entries: entries, next: nil)
        }
        let limit = query.pageSize
        // Along the primary key, backwards: a page costs its own rows, however long the history is.
        let page = try entries(
            "WHERE id < ? \(query.includesRejected ? "" : "AND version IS NOT NULL") ORDER BY id DESC LIMIT ?",
            [query.before ?? .max, limit + 1])
        return HistoryPage(page: page, limit: limit)
    }

    func entry(ofAttempt id: Int) throws -> HistoryPage.Entry? { try entries("WHERE id = ?", [id]).first }

    func newest() throws -> HistoryPage.Entry? { try entries("ORDER BY id DESC LIMIT 1", []).first }

    func tree(ofVersion number: Int) throws -> Tree? {
        try tree(try Data.fetchOne(db, sql: "SELECT tree FROM attempt WHERE version = ?", arguments: [number]))
    }

    func tree(ofAttempt id: Int) throws -> Tree? {
        try tree(try Data.fetchOne(db, sql: "SELECT tree FROM attempt WHERE id = ?", arguments: [id]))
    }

    func tree(_ packed: Data?) throws -> Tree? {
        guard let packed else { return nil }
        guard let tree = Tree(packed: packed) else { throw corrupt("the list of a candidate's documents is unreadable") }
        return tree
    }

    private func entries(_ condition: String, _ arguments: StatementArguments) throws -> [HistoryPage.Entry] {
        let statement = try db.cachedStatement(sql: "SELECT \(Self.columns) FROM attempt \(condition)")
        return try Row.fetchAll(statement, arguments: arguments).map(entry)
    }

    private func entry(_ row: Row) throws -> HistoryPage.Entry {
        let trigger: String = row["triggered_by"]
        let phase: String = row["phase"]
        let outcome: String? = row["outcome"]
        guard let trigger = Cause.Trigger(rawValue: trigger), let phase = Attempt.Phase(rawValue: phase),
            outcome == nil || outcome.flatMap(Attempt.Outcome.init) != nil
        else { throw corrupt("attempt \(row["id"] as Int) holds a word no Plue writes") }
        let cause = Cause(trigger, actor: row["actor"], reason: row["reason"])
        let at = Date(timeIntervalSinceReferenceDate: row["at"])
        let environment = EnvironmentName(stringLiteral: row["environment"])
        let services: [ServiceResult]
        let diagnostics: [Diagnostic]
        let changedKeys: [SettingKey]
        do {
            services = try RecordedJSON.elements(RecordedService.self, in: row["services"]).compactMap(\.result)
            diagnostics = try RecordedJSON.elements(RecordedDiagnostic.self, in: row["diagnostics"]).compactMap(\.diagnostic)
            changedKeys = try RecordedJSON.elements(RecordedKey.self, in: row["changed_keys"]).map(\.key)
        } catch is DecodingError {
            // The error itself would show the text it could not read.
            throw corrupt("attempt \(row["id"] as Int) holds JSON no Plue writes")
        }
        let attempt = Attempt(
            id: row["id"], cause: cause, at: at, duration: .nanoseconds(row["duration_ns"] as Int64), phase: phase,
            outcome: outcome.flatMap(Attempt.Outcome.init), problem: row["problem"], diagnostics: diagnostics,
            digest: row["digest"], environment: environment, version: row["version"], services: services)
        guard let number = attempt.version else { return HistoryPage.Entry(attempt: attempt, version: nil) }
        guard let digest = attempt.digest else { throw corrupt("version \(number) has no digest") }
        return HistoryPage.Entry(
            attempt: attempt,
            version: Version(
                number: number, parent: row["parent"], digest: digest, environment: environment, cause: cause, at: at,
                changedKeys: changedKeys, services: services))
    }
}
