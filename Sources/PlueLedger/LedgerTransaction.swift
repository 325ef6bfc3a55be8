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

    func corrupt(_ reason: String) -> LedgerError { .corrupt(path, reason: reason) }
}

extension Row {
    /// What stands in a column; throws when it is of another type.
    ///
    /// GRDB's own subscript traps then, and a damaged page can hold anything: nothing here may use it.
    func value<Value: DatabaseValueConvertible>(_ column: String) throws -> Value {
        try decode(Value.self, forColumn: column)
    }
}
