import Crypto
import Foundation

/// One look at one database, from the signatures to the documents; the first thing that is wrong ends it.
struct Examination {
    struct Finding: Error {
        let verdict: AuditVerifier.Verdict
        let what: String
    }

    private let key: VerifierKey
    private let kept: [Checkpoint]
    private(set) var entries = 0
    private(set) var checkpoints = 0
    private(set) var attempts = 0
    private(set) var documents = 0
    private(set) var newest: Checkpoint?

    /// What the entries say of the candidates.
    private var records: [Int64: String] = [:]
    private var intended: Set<Int64> = []
    private var pruned: Set<Int64> = []
    /// Candidates up to this one are older than the log.
    private var beginning: Int64 = 0

    init(key: VerifierKey, kept: [Checkpoint]) {
        self.key = key
        self.kept = kept
    }

    mutating func examine(_ database: EvidenceDatabase) throws {
        try examineSchema(database)
        let signed = try signedCheckpoints(database)
        try examineEntries(database, signed)
        try examineHistory(database)
        try database.query("PRAGMA quick_check(1)") { row in
            if row.bytes(0) != Array("ok".utf8) { throw EvidenceDatabase.Unreadable(problem: "SQLite's own check finds it damaged") }
            return false
        }
    }

    private func found(_ verdict: AuditVerifier.Verdict, _ what: String) -> Finding { Finding(verdict: verdict, what: what) }

    // MARK: - The frame

    /// Tables, not views in their place; and nothing that runs by itself.
    private func examineSchema(_ database: EvidenceDatabase) throws {
        var tables: Set<String> = []
        try database.query("SELECT type, name FROM sqlite_master") { row in
            let type = row.bytes(0).map { String(decoding: $0, as: UTF8.self) } ?? ""
            let name = row.bytes(1).map { String(decoding: $0, as: UTF8.self) } ?? ""
            if type == "table" { tables.insert(name) }
            if type == "trigger" || type == "view" { throw found(.modified, "the database has a \(type) that no Plue makes: '\(name)'") }
            return true
        }
        for table in ["audit_entry", "audit_tree", "audit_checkpoint", "attempt", "document", "name"] where !tables.contains(table) {
            throw found(.unreadable, "the database has no table '\(table)'")
        }
    }

    // MARK: - Signatures

    /// Every checkpoint there is, by size; each signed by the key.
    private mutating func signedCheckpoints(_ database: EvidenceDatabase) throws -> [Int: [Checkpoint]] {
        var bySize: [Int: [Checkpoint]] = [:]
        for checkpoint in kept {
            switch checkpoint.standing(under: key) {
            case .signed: bySize[checkpoint.size, default: []].append(checkpoint)
            case .otherKey:
                throw found(.unknownKey, "a checkpoint that was kept elsewhere (\(checkpoint.size) entries) is signed with another key")
            case .forged: throw found(.modified, "a checkpoint that was kept elsewhere (\(checkpoint.size) entries) is not what was signed")
            }
        }
        try database.query("SELECT size, note FROM audit_checkpoint ORDER BY size") { row in
            let size = row.integer(0).map { Int($0) } ?? -1
            guard let text = row.bytes(1).flatMap({ String(validating: $0, as: UTF8.self) }), let checkpoint = Checkpoint(text),
                checkpoint.size == size
            else { throw found(.modified, "the checkpoint of \(size) entries is not what was written") }
            switch checkpoint.standing(under: key) {
            case .signed: break
            case .otherKey: throw found(.unknownKey, "the checkpoint of \(size) entries is signed with another key than \(key.text)")
            case .forged: throw found(.modified, "the checkpoint of \(size) entries is not what was signed")
            }
            bySize[size, default: []].append(checkpoint)
            newest = checkpoint
            checkpoints += 1
            return true
        }
        return bySize
    }

    // MARK: - Entries

    private mutating func examineEntries(_ database: EvidenceDatabase, _ signed: [Int: [Checkpoint]]) throws {
        var size: Int64?
        var frontier: [UInt8]?
        try database.query("SELECT size, frontier FROM audit_tree WHERE id = 1") { row in
            (size, frontier) = (row.integer(0), row.bytes(1))
            return false
        }
        let last = try database.number("SELECT max(seq) FROM audit_entry") ?? 0
        let claimed = max(signed.keys.max().map(Int64.init) ?? 0, size ?? 0)
        guard last >= claimed else {
            throw found(.truncated, "the log ends with entry \(last), but \(claimed) entries were written")
        }
        var roots = MerkleRoots()
        try database.query("SELECT seq, leaf, entry FROM audit_entry ORDER BY seq") { row in
            let next = Int64(roots.size) + 1
            guard let number = row.integer(0), number == next else { throw found(.gap, "entry \(next) is missing") }
            guard let text = row.bytes(2), let record = AuditRecord(text), Int64(record.number) == number else {
                throw found(.modified, "entry \(number) is not what was written")
            }
            let leaf = MerkleRoots.leaf(text)
            guard row.bytes(1) == Array(leaf) else { throw found(.modified, "entry \(number) is not what was written") }
            roots.append(leaf)
            for checkpoint in signed[roots.size] ?? [] where checkpoint.root != roots.root {
                throw found(.modified, "something up to entry \(number) is not what was signed when there were \(number)")
            }
            try note(record)
            return true
        }
        entries = roots.size
        guard size == Int64(roots.size), frontier == roots.frontier else {
            throw found(.modified, "the tree of the log is not that of its entries")
        }
    }

    private mutating func note(_ record: AuditRecord) throws {
        let attempt = record["attempt"].flatMap(Int64.init)
        switch record["action"] {
        case "beginning": beginning = record["after"].flatMap(Int64.init) ?? 0
        case "intent": if let attempt { intended.insert(attempt) }
        case "outcome", "rejection": if let attempt { records[attempt] = record["record"] }
        case "pruning":
            for range in record["attempts"]?.split(separator: ",") ?? [] {
                let ends = range.split(separator: "-").compactMap { Int64($0) }
                guard let first = ends.first, let last = ends.last, first <= last, last - first < 100_000_000 else {
                    throw found(.modified, "entry \(record.number) names no candidates that could be pruned")
                }
                for id in first...last {
                    pruned.insert(id)
                    records[id] = nil
                }
            }
        default: break
        }
    }

    // MARK: - The history

    private mutating func examineHistory(_ database: EvidenceDatabase) throws {
        let digests = try examineDocuments(database)
        var names: [Int64: [UInt8]] = [:]
        try database.query("SELECT id, text FROM name") { row in
            if let id = row.integer(0) { names[id] = row.bytes(1) }
            return true
        }
        var hash = RecordHash(names: names, digests: digests)
        var missing = records
        try database.query("SELECT \(RecordHash.columns) FROM attempt ORDER BY id") { row in
            guard let id = row.integer(0) else { throw found(.modified, "a candidate has no id") }
            attempts += 1
            guard id > beginning else { return true }
            guard let expected = missing.removeValue(forKey: id) else {
                guard intended.contains(id), row.isNull(RecordHash.outcome) else {
                    throw found(.modified, "the history holds candidate \(id) in a state that no entry tells of")
                }
                return true
            }
            guard hash.of(row) == expected else { throw found(.modified, "the history of candidate \(id) is not what was written") }
            return true
        }
        if let gone = missing.keys.min() { throw found(.gap, "candidate \(gone) is missing from the history") }
        let known = hash.usedDocuments
        if let odd = digests.keys.filter({ !known.contains($0) }).min(), beginning == 0 {
            throw found(.modified, "document \(odd) belongs to no candidate")
        }
    }

    /// Each document built from its parts, and what it is called by.
    private mutating func examineDocuments(_ database: EvidenceDatabase) throws -> [Int64: [UInt8]] {
        var digests: [Int64: [UInt8]] = [:]
        // Each document is built once, from one that was built before: only those that others stand on are kept.
        var built: [Int64: [UInt8]] = [:]
        var uses: [Int64: Int] = [:]
        try database.query("SELECT base, count(*) FROM document WHERE base IS NOT NULL GROUP BY base") { row in
            if let base = row.integer(0) { uses[base] = row.integer(1).map { Int($0) } }
            return true
        }
        try database.query("SELECT id, sha256, base, head, tail, bytes FROM document ORDER BY id") { row in
            guard let id = row.integer(0), let digest = row.bytes(1), let own = row.bytes(5) else {
                throw found(.modified, "a document is not what was written")
            }
            var bytes = own
            if !row.isNull(2) {
                guard let base = row.integer(2), let below = built[base], let head = row.integer(3), let tail = row.integer(4), head >= 0,
                    tail >= 0, head <= below.count, tail <= below.count - Int(head)
                else { throw found(.modified, "document \(id) does not fit the one it is built on") }
                bytes = below[..<Int(head)] + own + below[(below.count - Int(tail))...]
                uses[base, default: 1] -= 1
                if uses[base] == 0 { built[base] = nil }
            }
            guard SHA256.hash(data: bytes).elementsEqual(digest) else { throw found(.modified, "document \(id) is not what was written") }
            digests[id] = digest
            if uses[id, default: 0] > 0 { built[id] = bytes }
            documents += 1
            return true
        }
        return digests
    }
}

/// What a candidate's row says, as one hash; the form is described in Documentation/audit.md.
private struct RecordHash {
    static let columns = """
        id, version, parent, triggered_by, actor, reason, at, duration_ns, phase, outcome, problem, digest, environment, changed_keys,
        services, diagnostics, tree, replaced, written, fallback
        """
    static let outcome: Int32 = 9

    private let names: [Int64: [UInt8]]
    private let digests: [Int64: [UInt8]]
    private(set) var usedDocuments: Set<Int64> = []

    init(names: [Int64: [UInt8]], digests: [Int64: [UInt8]]) {
        self.names = names
        self.digests = digests
    }

    /// In hex; `nil` for a row that holds what no Plue writes.
    mutating func of(_ row: EvidenceDatabase.Row) -> String? {
        var parts = Parts()
        for column in Int32(0)..<20 {
            switch column {
            case 0, 1, 2, 7, 19:
                if row.isNull(column) {
                    parts.addNothing()
                } else {
                    guard let number = row.integer(column) else { return nil }
                    parts.add(Array(String(number).utf8))
                }
            case 6:
                guard let at = row.double(column) else { return nil }
                parts.add(Array(String(at.bitPattern, radix: 16).utf8))
            case 16, 17, 18:
                if row.isNull(column) {
                    parts.addNothing()
                } else {
                    guard let packed = row.bytes(column), add(packed, &parts) else { return nil }
                }
            default:
                if row.isNull(column) {
                    parts.addNothing()
                } else {
                    guard let text = row.bytes(column) else { return nil }
                    parts.add(text)
                }
            }
        }
        return parts.digest
    }

    /// A list of documents: LEB128 numbers in pairs, a name's and a document's id, 0 for no document.
    private mutating func add(_ packed: [UInt8], _ parts: inout Parts) -> Bool {
        var numbers: [Int64] = []
        var (number, shift) = (UInt64(0), UInt64(0))
        for byte in packed {
            guard shift < 64 else { return false }
            number |= UInt64(byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 {
                numbers.append(Int64(bitPattern: number))
                (number, shift) = (0, 0)
            }
        }
        guard shift == 0, numbers.count % 2 == 0 else { return false }
        parts.add(Array(String(numbers.count / 2).utf8))
        for index in stride(from: 0, to: numbers.count, by: 2) {
            guard let name = names[numbers[index]] else { return false }
            parts.add(name)
            let document = numbers[index + 1]
            if document == 0 {
                parts.addNothing()
            } else {
                guard let digest = digests[document] else { return false }
                usedDocuments.insert(document)
                parts.add(digest)
            }
        }
        return true
    }

    /// Each part behind its length, so that none can run into the next.
    private struct Parts {
        private var hash = SHA256()

        mutating func add(_ bytes: [UInt8]) {
            let length = UInt32(clamping: bytes.count)
            hash.update(data: [
                UInt8(truncatingIfNeeded: length >> 24), UInt8(truncatingIfNeeded: length >> 16), UInt8(truncatingIfNeeded: length >> 8),
                UInt8(truncatingIfNeeded: length),
            ])
            hash.update(data: bytes)
        }

        mutating func addNothing() { hash.update(data: [0xFF, 0xFF, 0xFF, 0xFF]) }

        var digest: String { hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
    }
}
