import Foundation
import GRDB
import PlueConfig

extension LedgerTransaction {
    /// Without `tree`: SQLite never reads the pages a large one spills over to.
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
            """
            WHERE id < ? \(query.includesRejected ? "" : "AND version IS NOT NULL") \(query.environment == nil ? "" : "AND environment = ?")
            ORDER BY id DESC LIMIT ?
            """,
            [query.before ?? .max] + (query.environment.map { [$0.rawValue] } ?? []) + [limit + 1])
        return HistoryPage(page: page, limit: limit)
    }

    func entry(ofAttempt id: Int) throws -> HistoryPage.Entry? { try entries("WHERE id = ?", [id]).first }

    func newest() throws -> HistoryPage.Entry? { try entries("ORDER BY id DESC LIMIT 1", []).first }

    func tree(ofVersion number: Int) throws -> Tree? {
        try tree(try value(Data.self, "SELECT tree FROM attempt WHERE version = ?", [number]))
    }

    func tree(ofAttempt id: Int) throws -> Tree? {
        try tree(try value(Data.self, "SELECT tree FROM attempt WHERE id = ?", [id]))
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
        let id: Int = try row.value("id")
        let outcome: String? = try row.value("outcome")
        guard let trigger = try Cause.Trigger(rawValue: row.value("triggered_by")),
            let phase = try Attempt.Phase(rawValue: row.value("phase")),
            outcome == nil || outcome.flatMap(Attempt.Outcome.init) != nil
        else { throw corrupt("attempt \(id) holds a word no Plue writes") }
        let attempt = Attempt(
            id: id, cause: Cause(trigger, actor: try row.value("actor"), reason: try row.value("reason")),
            at: Date(timeIntervalSinceReferenceDate: try row.value("at")), duration: .nanoseconds(try row.value("duration_ns") as Int64),
            phase: phase, outcome: outcome.flatMap(Attempt.Outcome.init), problem: try row.value("problem"),
            diagnostics: try list(RecordedDiagnostic.self, "diagnostics", row).compactMap(\.diagnostic),
            digest: try row.value("digest"), environment: EnvironmentName(stringLiteral: try row.value("environment")),
            version: try row.value("version"),
            services: try list(RecordedService.self, "services", row).compactMap(\.result))
        guard let number = attempt.version else { return HistoryPage.Entry(attempt: attempt, version: nil) }
        guard let digest = attempt.digest else { throw corrupt("version \(number) has no digest") }
        let version = Version(
            number: number, parent: try row.value("parent"), digest: digest, environment: attempt.environment,
            cause: attempt.cause, at: attempt.at,
            changedKeys: try list(RecordedKey.self, "changed_keys", row).map(\.key), services: attempt.services)
        return HistoryPage.Entry(attempt: attempt, version: version)
    }

    private func list<Element: Decodable>(_ type: Element.Type, _ column: String, _ row: Row) throws -> [Element] {
        // A DecodingError would show the text it could not read.
        do { return try RecordedJSON.elements(type, in: row.value(column)) } catch is DecodingError {
            throw corrupt("\(column) of an attempt is not what a Plue writes")
        }
    }
}
