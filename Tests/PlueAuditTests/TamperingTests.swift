import Crypto
import Foundation
import GRDB
import Logging
import PlueConfig
import SystemPackage
import Testing

@testable import PlueAudit
@testable import PlueLedger

/// Someone who can write the database changes it in every way we could think of; a checkpoint and the public key were kept elsewhere.
@Suite struct TamperingTests {
    @Test func `A log that nobody touched is intact, while it is written, closed, pruned and confirmed`() async throws {
        let evidence = try await Evidence.made.value
        #expect(evidence.verify(evidence.database).verdict == .intact, "\(evidence.verify(evidence.database).finding)")
        // A checkpoint of any age is consistent with what came after it.
        for checkpoint in evidence.kept {
            let report = AuditVerifier(key: evidence.key, kept: [checkpoint]).verify(database: evidence.database)
            #expect(report.verdict == .intact, "\(report.finding)")
        }
    }

    /// Thirteen hundred ways: a hundred seeds of each of thirteen kinds.
    @Test(arguments: Tampering.allCases) func `Every change is found, and its kind is told`(tampering: Tampering) async throws {
        let evidence = try await Evidence.made.value
        for seed in 0..<100 {
            var random = Random(seed: UInt64(seed))
            let copy = try evidence.copy()
            defer { try? FileManager.default.removeItem(atPath: copy) }
            let expected = try tampering.carryOut(on: copy + "/plue.db", evidence, &random)
            let report = evidence.verify(copy + "/plue.db")
            #expect(expected.contains(report.verdict), "\(tampering), seed \(seed): \(report.verdict), \(report.finding)")
        }
    }

    @Test func `An older database in the newer one's place, and one without its log file, are found`() async throws {
        let evidence = try await Evidence.made.value
        #expect(evidence.verify(evidence.older + "/plue.db").verdict == .truncated)
        #expect(evidence.verify(evidence.withoutLog + "/plue.db").verdict == .truncated)
    }
}

@Suite struct VerifierFuzzTests {
    @Test func `No bytes make the verifier trap, and none pass for what was written`() async throws {
        let evidence = try await Evidence.made.value
        let original = try Data(contentsOf: URL(filePath: evidence.database))
        let seconds = ProcessInfo.processInfo.environment["PLUE_FUZZ_SECONDS"].flatMap(Double.init) ?? 2
        let end = ContinuousClock.now + .seconds(seconds)
        var random = Random(seed: UInt64(Date().timeIntervalSince1970))
        let copy = try evidence.copy()
        defer { try? FileManager.default.removeItem(atPath: copy) }
        while ContinuousClock.now < end {
            var bytes = original
            for _ in 0..<Int.random(in: 1...64, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
            }
            if random.next() % 8 == 0 { bytes = bytes.prefix(Int.random(in: 0..<bytes.count, using: &random)) }
            try bytes.write(to: URL(filePath: copy + "/plue.db"))
            // Bytes that SQLite does not use may differ; what is read must not.
            _ = evidence.verify(copy + "/plue.db")
        }
        for text in [
            "", "\n\n", "a\n1\nAA==\n\n— b c\n", String(repeating: "x", count: 100_000), evidence.kept[0].text + evidence.kept[0].text,
        ] {
            _ = Checkpoint.all(in: text)
            _ = VerifierKey(text)
            _ = AuditRecord(Array(text.utf8))
        }
    }
}

/// What someone does to the database.
enum Tampering: CaseIterable {
    case editEntry, editEntryAndLeaf, deleteEntry, swapEntries, replaceEntry, recomputeAll, cutTail, resign, editHistory, deleteHistory
    case insertHistory, editDocument, editCheckpoint

    /// - Returns: The verdicts that name what was done.
    func carryOut(on path: String, _ evidence: Evidence, _ random: inout Random) throws -> Set<AuditVerifier.Verdict> {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? queue.close() }
        let last = try queue.read { try Int.fetchOne($0, sql: "SELECT max(seq) FROM audit_entry") ?? 0 }
        let target = Int.random(in: 1...last, using: &random)
        let choice = random.next()
        return try queue.write { db -> Set<AuditVerifier.Verdict> in
            func entry(_ number: Int) throws -> String {
                try String.fetchOne(db, sql: "SELECT entry FROM audit_entry WHERE seq = ?", arguments: [number]) ?? ""
            }
            func changed(_ text: String) -> String {
                // A letter or a digit for another.
                var characters = Array(text)
                let places = characters.indices.filter { characters[$0].isLetter || characters[$0].isNumber }
                let place = places[Int(choice % UInt64(places.count))]
                characters[place] = characters[place] == "7" ? "8" : "7"
                return String(characters)
            }
            func leafHash(_ text: String) -> Data { Data(SHA256.hash(data: Data([0]) + Data(text.utf8))) }
            switch self {
            case .editEntry:
                try db.execute(sql: "UPDATE audit_entry SET entry = ? WHERE seq = ?", arguments: [changed(try entry(target)), target])
                return [.modified]
            case .editEntryAndLeaf:
                let text = changed(try entry(target))
                try db.execute(sql: "UPDATE audit_entry SET entry = ?, leaf = ? WHERE seq = ?", arguments: [text, leafHash(text), target])
                return [.modified]
            case .deleteEntry:
                try db.execute(sql: "DELETE FROM audit_entry WHERE seq = ?", arguments: [target])
                return target == last ? [.truncated] : [.gap]
            case .swapEntries:
                let other = target == last ? 1 : target + 1
                let (one, two) = (try entry(target), try entry(other))
                for (number, text) in [(target, two), (other, one)] {
                    try db.execute(
                        sql: "UPDATE audit_entry SET entry = ?, leaf = ? WHERE seq = ?", arguments: [text, leafHash(text), number])
                }
                return [.modified]
            case .replaceEntry:
                let text = "plue-audit/1\nseq: \(target)\ntime: 2026-01-01T00:00:00.000Z\naction: heartbeat\n"
                try db.execute(
                    sql: "INSERT OR REPLACE INTO audit_entry (seq, leaf, entry) VALUES (?, ?, ?)",
                    arguments: [target, leafHash(text), text])
                return [.modified]
            case .recomputeAll:
                // As one who knows the format: the leaf, the tree's edge, and no checkpoint left in the database that contradicts.
                let text = changed(try entry(target))
                try db.execute(sql: "UPDATE audit_entry SET entry = ?, leaf = ? WHERE seq = ?", arguments: [text, leafHash(text), target])
                try rebuild(db)
                try db.execute(sql: "DELETE FROM audit_checkpoint WHERE size >= ?", arguments: [target])
                return [.modified]
            case .cutTail:
                try db.execute(sql: "DELETE FROM audit_entry WHERE seq >= ?", arguments: [target])
                try rebuild(db)
                try db.execute(sql: "DELETE FROM audit_checkpoint WHERE size >= ?", arguments: [target])
                return [.truncated]
            case .resign:
                let other = try AuditKey.inside(FilePath(evidence.stranger))
                var tree = MerkleFrontier()
                for text in try String.fetchAll(db, sql: "SELECT entry FROM audit_entry ORDER BY seq") {
                    tree.append(MerkleFrontier.leaf(text))
                    try db.execute(
                        sql: "UPDATE audit_checkpoint SET note = ? WHERE size = ?", arguments: [try other.checkpoint(tree), tree.size])
                }
                return [.unknownKey]
            case .editHistory:
                let id =
                    try Int.fetchOne(db, sql: "SELECT id FROM attempt ORDER BY id LIMIT 1 OFFSET ?", arguments: [Int(choice % 40)]) ?? 1
                let edits = [
                    "actor = actor || 'x'", "reason = 'another'", "at = at + 1", "triggered_by = 'ssh'", "environment = 'other'",
                    "digest = 'sha256:00'", "problem = 'x'", "duration_ns = duration_ns + 1", "phase = 'read'",
                    "changed_keys = '[\"a.b\"]'",
                    "outcome = CASE outcome WHEN 'rejected' THEN 'reverted' ELSE outcome END, parent = 77", "services = '[]'",
                    "fallback = 3",
                ]
                try db.execute(sql: "UPDATE attempt SET \(edits[target % edits.count]) WHERE id = ?", arguments: [id])
                return [.modified]
            case .deleteHistory:
                try db.execute(
                    sql: "DELETE FROM attempt WHERE id = (SELECT id FROM attempt ORDER BY id LIMIT 1 OFFSET ?)",
                    arguments: [Int(choice % 40)])
                return [.gap, .modified]
            case .insertHistory:
                try db.execute(
                    sql: """
                        INSERT INTO attempt (version, triggered_by, actor, reason, at, duration_ns, phase, outcome, digest, environment, tree)
                        SELECT version + 1000, triggered_by, 'unix:0', 'forged', at, duration_ns, phase, outcome, digest, environment, tree
                        FROM attempt WHERE version IS NOT NULL ORDER BY id DESC LIMIT 1
                        """)
                return [.modified]
            case .editDocument:
                let edits = [
                    "UPDATE document SET bytes = CAST('!' || substr(bytes, 2) AS BLOB) WHERE id = (SELECT max(id) FROM document WHERE length(bytes) > 3)",
                    "UPDATE document SET sha256 = zeroblob(32) WHERE id = (SELECT id FROM document LIMIT 1 OFFSET \(choice % 20))",
                    "UPDATE name SET text = text || 'x'", "DELETE FROM document WHERE id = (SELECT max(id) FROM document)",
                    "UPDATE attempt SET tree = (SELECT tree FROM attempt WHERE tree IS NOT NULL ORDER BY id LIMIT 1) WHERE id = (SELECT max(id) FROM attempt WHERE version IS NOT NULL)",
                ]
                try db.execute(sql: edits[target % edits.count])
                return [.modified]
            case .editCheckpoint:
                let edits = [
                    "UPDATE audit_checkpoint SET note = replace(note, char(10) || size || char(10), char(10) || (size + 1) || char(10)) WHERE size = (SELECT size FROM audit_checkpoint LIMIT 1 OFFSET \(choice % 3))",
                    "UPDATE audit_checkpoint SET size = size + 100000 WHERE size = (SELECT max(size) FROM audit_checkpoint)",
                    "UPDATE audit_tree SET size = size - 1", "UPDATE audit_tree SET frontier = zeroblob(length(frontier))",
                    "CREATE TRIGGER later AFTER INSERT ON attempt BEGIN DELETE FROM audit_entry WHERE seq = 1; END",
                    "UPDATE audit_checkpoint SET note = 'nothing' WHERE size = (SELECT min(size) FROM audit_checkpoint)",
                ]
                try db.execute(sql: edits[target % edits.count])
                return [.modified]
            }
        }
    }

    private func rebuild(_ db: Database) throws {
        var tree = MerkleFrontier()
        for text in try String.fetchAll(db, sql: "SELECT entry FROM audit_entry ORDER BY seq") { tree.append(MerkleFrontier.leaf(text)) }
        try db.execute(sql: "UPDATE audit_tree SET size = ?, frontier = ?", arguments: [tree.size, tree.packed])
    }
}

/// A history with its log, made once: commits, refusals, reverts, a confirmation, pruning, two processes.
final class Evidence: Sendable {
    static let made = Task { try await Evidence() }

    let root: String
    let key: VerifierKey
    let kept: [Checkpoint]
    var database: String { root + "/state/plue.db" }
    /// The same, as it was half-way.
    var older: String { root + "/older" }
    /// The same as it was killed, without the log file that the newest commits are in.
    var withoutLog: String { root + "/unlogged" }
    /// Somebody else's installation.
    var stranger: String { root + "/stranger" }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    private init() async throws {
        root = FileManager.default.temporaryDirectory.appending(path: "plue-audit-\(UUID().uuidString.prefix(8))").path
        for name in ["state", "stranger"] {
            try FileManager.default.createDirectory(
                atPath: root + "/" + name, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        let files = FileManager.default
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var ledger = try Ledger(directory: FilePath(root + "/state"), retention: .keep(versions: 40, for: .zero), logger: logger)
        var policy = AuditPolicy()
        policy.checkpointEvery = 10
        ledger.follow(policy)
        try await Self.live(in: ledger, from: 1, to: 30)
        try await ledger.close()
        try files.copyItem(atPath: root + "/state", toPath: root + "/older")
        ledger = try Ledger(directory: FilePath(root + "/state"), retention: .keep(versions: 40, for: .zero), logger: logger)
        ledger.follow(policy)
        try await Self.live(in: ledger, from: 31, to: 60)
        try await ledger.prune(at: .distantFuture)
        try await ledger.heartbeat()
        // As a kill leaves it: what is new is in the log file, which somebody deletes.
        try files.copyItem(atPath: root + "/state", toPath: root + "/unlogged")
        try files.removeItem(atPath: root + "/unlogged/plue.db-wal")
        try files.removeItem(atPath: root + "/unlogged/plue.db-shm")
        try await ledger.close()
        let text = try String(contentsOfFile: root + "/state/audit.pub", encoding: .utf8)
        guard let key = VerifierKey(text) else { throw CocoaError(.fileReadCorruptFile) }
        self.key = key
        kept = Checkpoint.all(in: try String(contentsOfFile: root + "/state/audit.checkpoints", encoding: .utf8))
        // Before the suites copy it: a database that was opened by a reader has its sidecars.
        guard kept.count > 5 else { throw CocoaError(.fileReadCorruptFile) }
    }

    private static func live(in ledger: Ledger, from first: Int, to last: Int) async throws {
        for number in first...last {
            let lines = (0..<20).map { "key_\($0) = \($0 == number % 20 ? number : 0)" }.joined(separator: "\n")
            let documents = [
                StoredDocument(name: "production.ini", bytes: Array("[server]\n\(lines)\n".utf8)),
                StoredDocument(name: "production.d/1.ini", bytes: Array("[x]\nn = \(number)\n".utf8)),
            ]
            let change = DocumentChange(name: "production.d/1.ini", before: Array("[x]\n".utf8), after: documents[1].bytes)
            let intent = Intent(
                cause: Cause(.api, actor: "unix:\(number)", reason: "because\nof \\\(number)"),
                at: Date(timeIntervalSinceReferenceDate: 800_000_000.25 + Double(number)), environment: .production,
                digest: DocumentDigest.of(documents, in: .production), parent: number > 1 ? number - 1 : nil, documents: documents,
                changedKeys: [SettingKey(section: "x", name: "n")], writes: [change])
            let id = try await ledger.intend(intent)
            let outcome: Attempt.Outcome = number % 9 == 0 ? .reverted : .committed
            let version = try await ledger.conclude(
                Conclusion(id: id, outcome: outcome, phase: .record, duration: .milliseconds(3), problem: outcome == .reverted ? "no" : nil)
            )
            if number % 20 == 0, let version { try await ledger.endConfirmation(of: version.number, by: Cause(.api, actor: "unix:0")) }
            if number % 7 == 0 {
                try await ledger.reject(
                    Attempt(
                        id: 0, cause: Cause(.api, actor: "unix:0"), at: Date(), phase: .validate, outcome: .rejected, problem: "wrong",
                        diagnostics: [Diagnostic("range", "wrong")], environment: .production))
            }
        }
    }

    func copy() throws -> String {
        let path = root + "/copy-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: database, toPath: path + "/plue.db")
        return path
    }

    func verify(_ path: String) -> AuditVerifier.Report { AuditVerifier(key: key, kept: kept).verify(database: path) }
}

struct Random: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
