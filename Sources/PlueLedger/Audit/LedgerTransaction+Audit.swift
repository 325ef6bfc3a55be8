import Crypto
import Foundation
import GRDB
import PlueConfig

/// What each change of the ledger leaves in the audit log, in the same transaction.
extension LedgerTransaction {
    func auditIntent(_ intent: Intent, _ id: Int) throws {
        let record = try record(of: id)
        try audit?.append("intent", in: db) { entry in
            entry.add("attempt", id)
            entry.add(intent.cause)
            entry.add("environment", intent.environment.rawValue)
            entry.add("parent", intent.parent)
            entry.add("digest", intent.digest)
            for change in intent.values.prefix(Self.mostValues) {
                entry.add("change", "\(change.key) = \(change.before ?? "(unset)") -> \(change.after ?? "(unset)")")
            }
            if intent.values.count > Self.mostValues { entry.add("changes", intent.values.count) }
            if !intent.writes.isEmpty { entry.add("writes", intent.writes.count) }
            // The shortest digits that come back as the same double, which is what the row has.
            entry.add("confirm-by", intent.confirmation.map { "\($0.deadline.timeIntervalSinceReferenceDate)" })
            entry.add("fallback", intent.confirmation?.fallback)
            entry.add("record", record)
        }
    }

    func auditOutcome(_ attempt: Attempt) throws {
        let record = try record(of: attempt.id)
        let isUnrestored = try value(Bool.self, "SELECT unrestored FROM attempt WHERE id = ?", [attempt.id]) ?? false
        try audit?.append("outcome", in: db) { entry in
            entry.add("attempt", attempt.id)
            entry.add(attempt.cause)
            entry.add("outcome", attempt.outcome?.rawValue)
            entry.add("phase", attempt.phase.rawValue)
            entry.add("version", attempt.version)
            if isUnrestored { entry.add("unrestored", 1) }
            entry.add("record", record)
        }
    }

    /// The documents of a candidate that was not committed are as they were.
    func auditRestored(_ attempt: Int) throws {
        try audit?.append("restored", in: db, isPrivileged: true) { $0.add("attempt", attempt) }
    }

    /// A refusal that is met again and again leaves an entry each time its number has doubled.
    func auditRepetition(_ attempt: Int, times: Int) throws {
        guard times > 1, times.nonzeroBitCount == 1 else { return }
        try audit?.append("repetition", in: db) { entry in
            entry.add("attempt", attempt)
            entry.add("times", times)
        }
    }

    func auditRejection(_ id: Int, _ attempt: Attempt) throws {
        let record = try record(of: id)
        try audit?.append("rejection", in: db) { entry in
            entry.add("attempt", id)
            entry.add(attempt.cause)
            entry.add("outcome", Attempt.Outcome.rejected.rawValue)
            entry.add("phase", attempt.phase.rawValue)
            let keys = Set(attempt.diagnostics.compactMap { $0.key?.description })
            for key in keys.sorted().prefix(Self.mostValues) { entry.add("key", key) }
            entry.add("codes", Set(attempt.diagnostics.map(\.code.rawValue)).sorted().joined(separator: " "))
            entry.add("record", record)
        }
    }

    func auditConfirmation(of version: Int, by cause: Cause) throws {
        try audit?.append("confirmation", in: db, isPrivileged: true) { entry in
            entry.add(cause)
            entry.add("version", version)
        }
    }

    func auditPruning(_ ids: Set<Int64>) throws {
        try audit?.append("pruning", in: db, isPrivileged: true) { entry in entry.add("attempts", Self.ranges(ids)) }
    }

    /// Something that is no change of the history: the start, the end, a sign of life.
    func auditEvent(_ action: String, _ fields: (inout AuditEntry) -> Void = { _ in }) throws {
        try audit?.append(action, in: db, isPrivileged: true, fields)
    }

    /// The first entry of a log says from where on it is whole: a history may be older than its audit log.
    func beginAudit() throws {
        guard try Int.fetchOne(db, sql: "SELECT count(*) FROM audit_tree") == 0 else { return }
        // No entry speaks for what is older, so nothing of it may act by itself: no deadline, nothing to be put back.
        try db.execute(
            sql: """
                UPDATE attempt SET confirm_by = NULL; UPDATE attempt SET unrestored = 0 WHERE unrestored AND outcome IS NOT NULL;
                DELETE FROM token; DELETE FROM proposal
                """)
        // The highest id there ever was, also if it is pruned.
        let last = try Int.fetchOne(db, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'attempt'") ?? 0
        try audit?.append("beginning", in: db, isPrivileged: true) { $0.add("after", last) }
    }

    private static let mostValues = 100

    /// `1-63,70`
    private static func ranges(_ ids: Set<Int64>) -> String {
        var ranges: [ClosedRange<Int64>] = []
        for id in ids.sorted() {
            if let last = ranges.last, last.upperBound + 1 == id {
                ranges[ranges.count - 1] = last.lowerBound...id
            } else {
                ranges.append(id...id)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
    }

    // MARK: - The row an entry speaks of

    /// What an attempt's row says, as one hash: an entry binds it, so that the history cannot be changed beside the log.
    ///
    /// `SHA-256` over the columns in this order, each behind its length as a big-endian `u32` (NULL: `ffffffff`), numbers as their
    /// decimal digits, times as the 16 hex digits of the double's bits; a list of documents as its names and digests. What
    /// changes later (how often a refusal was met again, what is still to be put back, when a version is taken back) is left out:
    /// it follows from entries of its own.
    func record(of id: Int) throws -> String {
        let statement = try db.cachedStatement(
            sql: """
                SELECT id, version, parent, triggered_by, actor, reason, at, duration_ns, phase, outcome, problem, digest, environment,
                    changed_keys, services, diagnostics, tree, replaced, written, fallback
                FROM attempt WHERE id = ?
                """)
        guard let row = try Row.fetchOne(statement, arguments: [id]) else { throw corrupt("an attempt is gone") }
        var hash = SHA256()
        func add(_ bytes: some Sequence<UInt8>) {
            let bytes = Array(bytes)
            withUnsafeBytes(of: UInt32(clamping: bytes.count).bigEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: bytes)
        }
        func addNothing() { withUnsafeBytes(of: UInt32.max) { hash.update(bufferPointer: $0) } }
        for name in ["id", "version", "parent"] {
            if let number: Int = try row.value(name) { add(String(number).utf8) } else { addNothing() }
        }
        for name in ["triggered_by", "actor", "reason"] { add((try row.value(name) as String).utf8) }
        let at: Double = try row.value("at")
        add(String(at.bitPattern, radix: 16).utf8)
        add(String(try row.value("duration_ns") as Int).utf8)
        for name in ["phase", "outcome", "problem", "digest", "environment", "changed_keys", "services", "diagnostics"] {
            if let text: String = try row.value(name) { add(text.utf8) } else { addNothing() }
        }
        for name in ["tree", "replaced", "written"] {
            guard let tree = try tree(try row.value(name) as Data?) else {
                addNothing()
                continue
            }
            add(String(tree.leaves.count).utf8)
            for leaf in tree.leaves {
                add((try documentName(leaf.name)).utf8)
                if leaf.document == 0 { addNothing() } else { add(try digest(of: leaf.document)) }
            }
        }
        if let fallback: Int = try row.value("fallback") { add(String(fallback).utf8) } else { addNothing() }
        return hash.finalize().map { (($0 < 16) ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
