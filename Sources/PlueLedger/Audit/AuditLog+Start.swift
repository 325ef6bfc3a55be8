import Foundation
import GRDB
import SystemPackage

/// What a log is held against before a process goes on writing it.
extension AuditLog {
    /// At most so many entries may be newer than the newest checkpoint: the largest value of `audit.checkpoint_every`.
    private static let mostUnsigned = 1_000_000

    /// No one but the key's holder can have written these, and they are signed at once.
    private static let privileged: Set<Substring> = [
        "beginning", "opening", "closing", "heartbeat", "restoring", "restored", "clock-jump", "confirmation", "pruning", "policy",
        "reveal", "keys", "token-created", "token-revoked", "proposal", "approval", "withdrawal",
    ]

    /// Where a log stands, after what can be told without reading all of it was found to be right: the newest checkpoint is signed by
    /// the key, the tree grows from it by the entries that follow, and the checkpoint that was last kept beside the database is one
    /// of its own.
    ///
    /// What was edited before the newest checkpoint is not noticed here, and cannot be signed either: the tree goes on from the edge
    /// that was signed. `plue audit verify` finds it.
    /// - Throws: `tampered`.
    static func start(of path: FilePath, in db: Database, key: AuditKey, isNew: Bool) throws -> Position {
        func tampered(_ reason: String) -> LedgerError { .tampered(path, reason: reason) }
        let kept = try newestCopy(beside: path, key)
        guard let tree = try stored(db, at: path) else {
            guard isNew, kept == nil, try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM audit_entry)") == false,
                try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM audit_checkpoint)") == false
            else { throw tampered("the audit log is gone") }
            return Position()
        }
        guard let row = try Row.fetchOne(db, sql: "SELECT size, note, frontier FROM audit_checkpoint ORDER BY size DESC LIMIT 1") else {
            throw tampered("the audit log has no checkpoint")
        }
        let signed: Int = try row.value("size")
        guard var grown = MerkleFrontier(size: signed, packed: try row.value("frontier")), signed <= tree.size,
            tree.size - signed <= mostUnsigned, let note = key.read(try row.value("note") as String), note.size == signed,
            note.root == grown.root
        else { throw tampered("the newest checkpoint, of \(signed) entries, is not signed with this key") }

        let rows = try Row.fetchCursor(
            db, sql: "SELECT seq, entry FROM audit_entry WHERE seq > ? ORDER BY seq LIMIT ?", arguments: [signed, mostUnsigned + 1])
        while let row = try rows.next() {
            let entry: String = try row.value("entry")
            guard try row.value("seq") == grown.size + 1, !isPrivileged(entry) else {
                throw tampered("an entry after the newest checkpoint, of \(signed) entries, is not what was written")
            }
            grown.append(MerkleFrontier.leaf(entry))
        }
        guard grown == tree else { throw tampered("the entries after the newest checkpoint, of \(signed) entries, are not its tree's") }
        if let kept {
            let own = try String.fetchOne(db, sql: "SELECT note FROM audit_checkpoint WHERE size = ?", arguments: [kept.size])
            guard let own, key.read(own)?.root == kept.root else {
                throw tampered("audit.checkpoints tells of \(kept.size) entries that are not these")
            }
        }
        return Position(tree: tree, signed: signed, every: nil)
    }

    private static func isPrivileged(_ entry: String) -> Bool {
        for line in entry.split(separator: "\n").prefix(8) where line.hasPrefix("action: ") {
            return privileged.contains(line.dropFirst("action: ".count))
        }
        return true
    }

    /// The last checkpoint of this key in `audit.checkpoints`; others, and what is half-written, are passed over.
    private static func newestCopy(beside path: FilePath, _ key: AuditKey) throws -> (size: Int, root: [UInt8])? {
        let file = path.removingLastComponent().appending("audit.checkpoints")
        guard let bytes = try StateFile.readEnd(of: file, atMost: 65_536) else { return nil }
        let paragraphs = String(decoding: bytes, as: UTF8.self).split(separator: "\n\n").map { $0.drop { $0 == "\n" } }
        for (body, signature) in zip(paragraphs, paragraphs.dropFirst()).reversed() {
            if let note = key.read(body + "\n\n" + signature) { return note }
        }
        return nil
    }
}
