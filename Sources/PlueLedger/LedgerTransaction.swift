import Foundation
import GRDB
import SystemPackage

/// The ledger's own statements inside one database transaction: all of them happen, or none.
///
/// A value that lives inside the closure GRDB calls; what it can do is in the extensions, one file each: write, history,
/// documents, retention.
struct LedgerTransaction {
    let db: Database
    /// For error messages.
    let path: FilePath
    /// Where what changes is told; `nil` for a transaction that only reads.
    var audit: AuditLog?
    /// What names and documents were found to be in this transaction.
    let known = KnownRows()

    func corrupt(_ reason: String) -> LedgerError { .corrupt(path, reason: reason) }
}

/// The names and digests of a tree are asked for by each of its entries; nothing changes them inside one transaction.
final class KnownRows {
    var names: [Int64: String] = [:]
    var digests: [Int64: Data] = [:]
}

extension LedgerTransaction {
    /// The first value of the first row, by a statement that is prepared once for the connection.
    func value<Value: DatabaseValueConvertible & StatementColumnConvertible>(
        _ type: Value.Type, _ sql: String, _ arguments: StatementArguments = []
    ) throws -> Value? {
        try Value.fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    func run(_ sql: String, _ arguments: StatementArguments = []) throws {
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
    }
}

extension Row {
    /// What stands in a column; throws when it is of another type.
    ///
    /// GRDB's own subscript traps then, and a damaged page can hold anything: nothing here may use it.
    func value<Value: DatabaseValueConvertible>(_ column: String) throws -> Value {
        try decode(Value.self, forColumn: column)
    }
}
