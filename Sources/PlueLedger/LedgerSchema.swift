import GRDB

/// What is in a database besides its rows: every table, index, view and trigger, in the words that made it.
///
/// A database that has more, or has it in other words, was worked on by somebody else, and what they left may run by itself as soon as
/// something is written. It is held against a database that this Plue makes anew.
struct LedgerSchema: Hashable {
    struct Part: Hashable {
        var type: String
        var name: String
        var table: String
        var words: String?
    }

    private(set) var parts: Set<Part>

    /// As a database has it.
    init(of db: Database) throws {
        let rows = try Row.fetchAll(db, sql: "SELECT type, name, tbl_name, sql FROM sqlite_master")
        parts = Set(
            try rows.map { row in
                Part(
                    type: try row.value("type"), name: try row.value("name"), table: try row.value("tbl_name"), words: try row.value("sql"))
            })
        guard parts.count == rows.count else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a table is there twice") }
    }

    /// As it is after the migrations up to a format; `nil` for a format that never was.
    static func of(format: Int) throws -> LedgerSchema? {
        let formats = try all.get()
        return formats.indices.contains(format - 1) ? formats[format - 1] : nil
    }

    private static let all: Result<[LedgerSchema], any Error> = Result {
        let queue = try DatabaseQueue()
        let migrator = DatabaseMigrator.ledger
        return try migrator.migrations.map { identifier in
            try migrator.migrate(queue, upTo: identifier)
            return try queue.read(LedgerSchema.init)
        }
    }

    /// The name of something that is not as it should be; `nil` when all is.
    func difference(from expected: LedgerSchema) -> String? {
        parts.symmetricDifference(expected.parts).map { "\($0.type) '\($0.name)'" }.min()
    }

    /// Without one table and what belongs to it.
    func without(_ table: String) -> LedgerSchema {
        var rest = self
        rest.parts = parts.filter { $0.table != table }
        return rest
    }

    /// One table and what belongs to it alone.
    func only(_ table: String) -> LedgerSchema {
        var rest = self
        rest.parts = parts.filter { $0.table == table }
        return rest
    }
}
