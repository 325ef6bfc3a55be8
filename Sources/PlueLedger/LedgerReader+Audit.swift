import Foundation
import GRDB
import PlueConfig

extension LedgerReader {
    /// An entry of the audit log, as it was hashed.
    public struct AuditRow: Hashable, Sendable {
        /// From 1 on, without a gap.
        public let sequence: Int
        /// The entry's canonical text.
        public let entry: String
        /// 32 bytes.
        public let leaf: [UInt8]
    }

    /// A signed root, and how many entries it covers.
    public struct AuditCheckpoint: Hashable, Sendable {
        /// How many entries it covers.
        public let size: Int
        /// The signed note.
        public let note: String
    }

    /// The audit log after a position, entries and checkpoints as they were at one moment.
    /// - Parameter limit: Of each, at most so many.
    /// - Throws: ``LedgerError``; `CancellationError`.
    public func auditLog(
        after sequence: Int, checkpoint: Int, limit: Int
    ) async throws -> (rows: [AuditRow], checkpoints: [AuditCheckpoint]) {
        try await read { transaction in
            let rows = try Row.fetchAll(
                transaction.db, sql: "SELECT seq, entry, leaf FROM audit_entry WHERE seq > ? ORDER BY seq LIMIT ?",
                arguments: [sequence, limit])
            let notes = try Row.fetchAll(
                transaction.db, sql: "SELECT size, note FROM audit_checkpoint WHERE size > ? ORDER BY size LIMIT ?",
                arguments: [checkpoint, limit])
            return (
                try rows.map { row in
                    let leaf: Data = try row.value("leaf")
                    return AuditRow(sequence: try row.value("seq"), entry: try row.value("entry"), leaf: Array(leaf))
                },
                try notes.map { AuditCheckpoint(size: try $0.value("size"), note: try $0.value("note")) }
            )
        }
    }
}
