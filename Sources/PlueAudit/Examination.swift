import Crypto
import Foundation

/// One look at one database, from what it consists of to its signatures and its entries; the history is in an extension.
///
/// The first thing that is wrong ends it.
struct Examination {
    struct Finding: Error {
        let verdict: AuditVerifier.Verdict
        let what: String
    }

    private let key: VerifierKey
    private let witnesses: [AuditVerifier.Witness]
    private(set) var entries = 0
    private(set) var checkpoints = 0
    /// How many entries no checkpoint in the database covers yet.
    private(set) var unsigned = 0
    var attempts = 0
    var documents = 0
    private(set) var newest: Checkpoint?

    /// What the entries say of the candidates.
    private(set) var candidates = Candidates()
    /// How many entries there may be without a checkpoint; until the log says so, none.
    private var every = 1

    init(key: VerifierKey, witnesses: [AuditVerifier.Witness]) {
        self.key = key
        self.witnesses = witnesses
    }

    mutating func examine(_ database: EvidenceDatabase) throws {
        try examineSchema(database)
        // An index that does not belong to its table could hide a row; nothing below looks at one.
        let check = DamageCheck(of: database)
        defer { check.end() }
        let signatures = try signatures(database)
        try examineEntries(database, signatures)
        try examineHistory(database)
        try examineTokens(database)
        // Last: what is wrong in particular says more.
        if let damage = check.damage { throw damage }
    }

    func found(_ verdict: AuditVerifier.Verdict, _ what: String) -> Finding { Finding(verdict: verdict, what: what) }

    // MARK: - The frame

    /// The tables and indexes that there have to be, word by word, and nothing else.
    private func examineSchema(_ database: EvidenceDatabase) throws {
        var parts: [ExpectedSchema.Part] = []
        try database.query("SELECT type, name, sql FROM sqlite_master") { row in
            parts.append(.init(type: string(row, 0) ?? "", name: string(row, 1) ?? "", words: string(row, 2)))
            guard parts.count <= 100 else { throw found(.modified, "the database has more tables than a Plue makes") }
            return true
        }
        for table in ["audit_entry", "audit_tree", "audit_checkpoint", "attempt", "document", "name"]
        where !parts.contains(where: { $0.type == "table" && $0.name == table }) {
            throw found(.unreadable, "the database has no table '\(table)'")
        }
        let format = try database.number("PRAGMA user_version") ?? 0
        if format > ExpectedSchema.format {
            throw found(.unreadable, "the database has format \(format), of a newer Plue; this one knows \(ExpectedSchema.format)")
        }
        for part in parts where !ExpectedSchema.parts.contains(part) {
            throw found(.modified, "the database has a \(part.type) that no Plue makes: '\(part.name)'")
        }
        for part in ExpectedSchema.parts where !parts.contains(part) {
            throw found(.modified, "the database has no \(part.type) '\(part.name)' any more")
        }
        guard parts.count == ExpectedSchema.parts.count, format == ExpectedSchema.format,
            try database.number("PRAGMA application_id") == ExpectedSchema.application
        else { throw found(.modified, "the database's header is not that of a ledger") }
        var migrations: [String] = []
        try database.query("SELECT identifier FROM grdb_migrations NOT INDEXED") { row in
            migrations.append(string(row, 0) ?? "")
            return migrations.count <= ExpectedSchema.migrations.count
        }
        guard migrations.sorted() == ExpectedSchema.migrations else {
            throw found(.modified, "the database's list of its formats is not what was written")
        }
    }

    private func string(_ row: EvidenceDatabase.Row, _ column: Int32) -> String? {
        row.text(column).flatMap { String(validating: $0, as: UTF8.self) }
    }

    // MARK: - Signatures

    private struct Signatures {
        /// Every signed checkpoint there is, by size.
        var roots: [Int: [[UInt8]]] = [:]
        /// The tree's edge at the sizes that the database has checkpoints of.
        var frontiers: [Int: [UInt8]] = [:]
    }

    /// Every checkpoint there is, each signed by the key.
    private mutating func signatures(_ database: EvidenceDatabase) throws -> Signatures {
        var signatures = Signatures()
        // What lies beside the database is the same checkpoints again: each is computed once.
        var known: Set<String> = []
        func standing(_ checkpoint: Checkpoint) -> Checkpoint.Standing {
            if known.contains(checkpoint.text) { return .signed }
            let standing = checkpoint.standing(under: key)
            if standing == .signed { known.insert(checkpoint.text) }
            return standing
        }
        for witness in witnesses {
            switch standing(witness.checkpoint) {
            case .signed: signatures.roots[witness.checkpoint.size, default: []].append(witness.checkpoint.root)
            case .otherKey where witness.mayBeForeign: break
            case .otherKey:
                throw found(
                    .unknownKey, "a checkpoint of \(witness.checkpoint.size) entries in \(witness.place) is signed with another key")
            case .forged:
                throw found(.modified, "a checkpoint of \(witness.checkpoint.size) entries in \(witness.place) is not what was signed")
            }
        }
        try database.query("SELECT size, note, frontier FROM audit_checkpoint NOT INDEXED ORDER BY size") { row in
            let size = row.integer(0).flatMap { Int(exactly: $0) } ?? -1
            guard size > 0, let text = string(row, 1), let checkpoint = Checkpoint(text), checkpoint.size == size,
                let frontier = row.blob(2)
            else { throw found(.modified, "the checkpoint of \(size) entries is not what was written") }
            switch standing(checkpoint) {
            case .signed: break
            case .otherKey: throw found(.unknownKey, "the checkpoint of \(size) entries is signed with another key than \(key.text)")
            case .forged: throw found(.modified, "the checkpoint of \(size) entries is not what was signed")
            }
            signatures.roots[size, default: []].append(checkpoint.root)
            signatures.frontiers[size] = frontier
            newest = checkpoint
            checkpoints += 1
            return true
        }
        return signatures
    }

    // MARK: - Entries

    /// Only who holds the key can have written these: each is signed at once.
    private static let privileged: Set<String> = [
        "beginning", "opening", "closing", "heartbeat", "restoring", "restored", "clock-jump", "confirmation", "pruning", "policy",
        "reveal", "keys", "token-created", "token-revoked", "proposal", "approval", "withdrawal",
    ]

    private mutating func examineEntries(_ database: EvidenceDatabase, _ signatures: Signatures) throws {
        var tree: (size: Int64, frontier: [UInt8])?
        try database.query("SELECT id, size, frontier FROM audit_tree NOT INDEXED") { row in
            guard tree == nil, row.integer(0) == 1, let size = row.integer(1), let frontier = row.blob(2) else {
                throw found(.modified, "the tree of the log is not what was written")
            }
            tree = (size, frontier)
            return true
        }
        let last = try database.number("SELECT max(seq) FROM audit_entry NOT INDEXED") ?? 0
        let claimed = max(signatures.roots.keys.max().map(Int64.init) ?? 0, tree?.size ?? 0)
        guard last >= claimed else {
            throw found(.truncated, "the log ends with entry \(last), but \(claimed) entries were written")
        }
        var roots = MerkleRoots()
        var signed = 0
        var hole: Finding?
        try database.query("SELECT seq, leaf, entry FROM audit_entry NOT INDEXED ORDER BY seq") { row in
            let next = Int64(roots.size) + 1
            guard let number = row.integer(0), number >= next else {
                throw found(.modified, "the log has an entry \(row.integer(0) ?? 0), which no Plue writes")
            }
            guard number == next else { throw found(.gap, "entry \(next) is missing") }
            guard let text = row.text(2), let record = AuditRecord(text), Int64(record.number) == number else {
                throw found(.modified, "entry \(number) is not what was written")
            }
            let leaf = MerkleRoots.leaf(text)
            guard row.blob(1) == Array(leaf) else { throw found(.modified, "entry \(number) is not what was written") }
            roots.append(leaf)
            for root in signatures.roots[roots.size] ?? [] where root != roots.root {
                throw found(.modified, "something up to entry \(number) is not what was signed when there were \(number)")
            }
            try note(record)
            if let frontier = signatures.frontiers[roots.size] {
                guard frontier == roots.frontier else {
                    throw found(.modified, "the checkpoint of \(number) entries is not what was written")
                }
                signed = roots.size
            } else if hole == nil, Self.privileged.contains(record["action"] ?? "") || roots.size - signed >= every {
                hole = found(.truncated, "the checkpoint of \(number) entries, which was signed at once, is missing")
            }
            return true
        }
        entries = roots.size
        unsigned = entries - signed
        guard tree?.size ?? 0 == Int64(entries), tree?.frontier ?? [] == roots.frontier else {
            throw found(.modified, "the tree of the log is not that of its entries")
        }
        guard entries > 0 else { throw found(.truncated, "the log has no entry") }
        do { try candidates.end() } catch { throw found(error.isGap ? .gap : .modified, error.what) }
        if let hole { throw hole }
    }

    private mutating func note(_ record: AuditRecord) throws {
        do throws(Candidates.Contradiction) {
            try candidates.note(record)
        } catch {
            throw found(error.isGap ? .gap : .modified, error.isGap ? error.what : "entry \(record.number) \(error.what)")
        }
        if let text = record["checkpoint-every"] {
            guard let number = Int(text), number >= 1 else {
                throw found(.modified, "entry \(record.number) does not say how often the log is signed")
            }
            every = number
        }
    }
}
