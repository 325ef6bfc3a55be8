import Crypto
import Foundation
import GRDB
import Logging
import PlueConfig
import SystemPackage
import TestGround
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

    /// More than a thousand ways: so many seeds of each of twenty kinds.
    private static let seeds = 55

    @Test(arguments: Tampering.allCases) func `Every change is found, and its kind is told`(tampering: Tampering) async throws {
        let evidence = try await Evidence.made.value
        for seed in 0..<Self.seeds {
            var random = SeededGenerator(seed: UInt64(seed))
            let copy = try evidence.copy()
            defer { try? FileManager.default.removeItem(atPath: copy) }
            let expected = try tampering.carryOut(on: copy + "/plue.db", evidence, &random)
            let report = evidence.verify(copy + "/plue.db")
            #expect(expected.contains(report.verdict), "\(tampering), seed \(seed): \(report.verdict), \(report.finding)")
            guard tampering.isFoundAlone, seed % 5 == 0 else { continue }
            // The database's own signatures tell as much.
            let alone = AuditVerifier(key: evidence.key, kept: []).verify(database: copy + "/plue.db")
            #expect(expected.contains(alone.verdict), "\(tampering), seed \(seed), alone: \(alone.verdict), \(alone.finding)")
        }
    }

    @Test func `An older database in the newer one's place, and one without its log file, are found`() async throws {
        let evidence = try await Evidence.made.value
        #expect(evidence.verify(evidence.older + "/plue.db").verdict == .truncated)
        #expect(evidence.verify(evidence.withoutLog + "/plue.db").verdict == .truncated)
    }

    @Test func `A database that is gone is unreadable, and a loss for who has a checkpoint of it`() async throws {
        let evidence = try await Evidence.made.value
        let nowhere = evidence.root + "/nowhere/plue.db"
        #expect(evidence.verify(nowhere).verdict == .truncated)
        #expect(AuditVerifier(key: evidence.key, kept: []).verify(database: nowhere).verdict == .unreadable)
    }

    @Test func `A file beside the database may lack checkpoints and hold others', but not contradict`() async throws {
        let evidence = try await Evidence.made.value
        func verdict(_ checkpoint: Checkpoint, _ database: String) -> AuditVerifier.Verdict {
            AuditVerifier(key: evidence.key, witnesses: [.init(checkpoint, in: "audit.checkpoints", mayBeForeign: true)])
                .verify(database: database).verdict
        }
        let other = try AuditKey.inside(FilePath(evidence.stranger), isNew: true)
        var tree = MerkleFrontier()
        tree.append(MerkleFrontier.leaf("x"))
        let foreign = try #require(Checkpoint(try other.checkpoint(tree)))
        let newest = try #require(evidence.kept.last)
        #expect(verdict(foreign, evidence.database) == .intact)
        #expect(verdict(evidence.kept[2], evidence.database) == .intact)
        #expect(verdict(newest, evidence.older + "/plue.db") == .truncated)
        let own = try AuditKey.inside(FilePath(evidence.root + "/state"), isNew: false)
        let forked = try #require(Checkpoint(try own.checkpoint(tree)))
        #expect(verdict(forked, evidence.database) == .modified)
    }

    @Test func `A row that an index hides is read where it is`() async throws {
        let evidence = try await Evidence.made.value
        let copy = try evidence.copy()
        defer { try? FileManager.default.removeItem(atPath: copy) }
        // The unique index goes, the table is edited, the index comes back as it was: it still has the old names.
        func edit(_ statements: String) throws {
            let queue = try DatabaseQueue(path: copy + "/plue.db")
            try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA writable_schema = ON; " + statements) }
            try queue.close()
        }
        try edit(
            """
            CREATE TABLE saved AS SELECT rowid AS id, * FROM sqlite_master WHERE name IN ('name', 'sqlite_autoindex_name_1');
            DELETE FROM sqlite_master WHERE name = 'sqlite_autoindex_name_1';
            UPDATE sqlite_master SET sql = replace(sql, ' UNIQUE', '') WHERE name = 'name'
            """)
        try edit("UPDATE name SET text = 'other/' || text")
        try edit(
            """
            INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql)
                SELECT type, name, tbl_name, rootpage, sql FROM saved WHERE type = 'index';
            UPDATE sqlite_master SET sql = (SELECT sql FROM saved WHERE type = 'table') WHERE name = 'name'
            """)
        try edit("DROP TABLE saved")
        let report = evidence.verify(copy + "/plue.db")
        #expect(report.verdict == .modified, "\(report.finding)")
        #expect(report.finding.contains("candidate") || report.finding.contains("name"), "\(report.finding)")
    }

    @Test func `A database beside a rollback journal, or not in WAL, is not what a Plue keeps`() async throws {
        let evidence = try await Evidence.made.value
        let copy = try evidence.copy()
        defer { try? FileManager.default.removeItem(atPath: copy) }
        try Data([1]).write(to: URL(filePath: copy + "/plue.db-journal"))
        #expect(evidence.verify(copy + "/plue.db").verdict == .unreadable)
        try FileManager.default.removeItem(atPath: copy + "/plue.db-journal")
        #expect(evidence.verify(copy + "/plue.db").verdict == .intact)
        let queue = try DatabaseQueue(path: copy + "/plue.db")
        try await queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
        try queue.close()
        #expect(evidence.verify(copy + "/plue.db").verdict == .unreadable)
    }

    @Test func `A log is intact at every moment while it is written`() async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "plue-audit-\(UUID().uuidString.prefix(8))").path
        defer { try? FileManager.default.removeItem(atPath: root) }
        let ledger = try Ledger(
            directory: FilePath(root), retention: .keep(versions: 20, for: .zero),
            logger: quiet)
        let key = try #require(VerifierKey(try String(contentsOfFile: root + "/audit.pub", encoding: .utf8)))
        let writing = Task {
            try await Evidence.live(in: ledger, from: 1, to: 150)
            try await ledger.close()
        }
        var looks = 0
        while looks < 40 {
            let report = AuditVerifier(key: key, kept: []).verify(database: root + "/plue.db")
            #expect(report.verdict == .intact, "\(report.finding)")
            looks += 1
            await Task.yield()
        }
        try await writing.value
    }
}

/// Databases that are made to exhaust who reads them.
@Suite struct CraftedDatabaseTests {
    @Test func `An entry that prunes a hundred million candidates costs nothing`() async throws {
        let evidence = try await Evidence.made.value
        let copy = try evidence.copy()
        defer { try? FileManager.default.removeItem(atPath: copy) }
        let queue = try DatabaseQueue(path: copy + "/plue.db")
        try await queue.write { db in
            let last = try Int.fetchOne(db, sql: "SELECT max(seq) FROM audit_entry") ?? 0
            let text = "plue-audit/1\nseq: \(last + 1)\naction: pruning\nattempts: 1-99999999\n"
            try db.execute(
                sql: "INSERT INTO audit_entry VALUES (?, ?, ?)", arguments: [last + 1, Data(MerkleFrontier.leaf(text)), text])
            try rebuild(db)
        }
        try queue.close()
        let start = ContinuousClock.now
        #expect(evidence.verify(copy + "/plue.db").verdict == .modified)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test func `Documents are built again when there is no room to keep them`() async throws {
        let evidence = try await Evidence.made.value
        let database = try EvidenceDatabase(path: evidence.database)
        var stored = StoredDocuments(database, mostKept: 0)
        var (count, deepest) = (0, Int64(0))
        try database.query("SELECT \(StoredDocuments.columns) FROM document NOT INDEXED ORDER BY id DESC") { row in
            _ = try stored.examine(row)
            deepest = max(deepest, row.integer(3) ?? 0)
            count += 1
            return true
        }
        #expect(count > 40 && deepest > 8)
    }

    @Test func `A chain of documents that doubles with every link is not followed`() async throws {
        let evidence = try await Evidence.made.value
        let copy = try evidence.copy()
        defer { try? FileManager.default.removeItem(atPath: copy) }
        let queue = try DatabaseQueue(path: copy + "/plue.db")
        try await queue.write { db in
            let first = try Int.fetchOne(db, sql: "SELECT max(id) FROM document") ?? 0
            let seed = Data(repeating: 7, count: 1 << 20)
            try db.execute(
                sql: "INSERT INTO document (id, sha256, base, depth, head, tail, bytes) VALUES (?, ?, NULL, 0, NULL, NULL, ?)",
                arguments: [first + 1, Data(SHA256.hash(data: seed)), seed])
            for link in 1...40 {
                let size = (1 << 20) << min(link - 1, 20)
                var digest = Data(SHA256.hash(data: Data("\(link)".utf8)))
                // Those that fit are what they are called by, so that it goes on.
                if link < 6 { digest = Data(SHA256.hash(data: Data(repeating: 7, count: size * 2))) }
                try db.execute(
                    sql: "INSERT INTO document (id, sha256, base, depth, head, tail, bytes) VALUES (?, ?, ?, ?, ?, ?, x'')",
                    arguments: [first + 1 + link, digest, first + link, link, size, 0])
                try db.execute(sql: "UPDATE document SET tail = head WHERE id = ?", arguments: [first + 1 + link])
            }
        }
        try queue.close()
        let report = evidence.verify(copy + "/plue.db")
        #expect(report.verdict == .modified)
        #expect(report.finding.contains("document"), "\(report.finding)")
    }
}

private func rebuild(_ db: Database) throws {
    var tree = MerkleFrontier()
    for text in try String.fetchAll(db, sql: "SELECT entry FROM audit_entry ORDER BY seq") { tree.append(MerkleFrontier.leaf(text)) }
    try db.execute(sql: "UPDATE audit_tree SET size = ?, frontier = ?", arguments: [tree.size, tree.packed])
}

@Suite struct VerifierFuzzTests {
    @Test func `No bytes make the verifier trap, and none pass for what was written`() async throws {
        let evidence = try await Evidence.made.value
        let original = try Data(contentsOf: URL(filePath: evidence.database))
        let seconds = ProcessInfo.processInfo.environment["PLUE_FUZZ_SECONDS"].flatMap(Double.init) ?? 2
        let end = ContinuousClock.now + .seconds(seconds)
        var random = SeededGenerator(seed: UInt64(Date().timeIntervalSince1970))
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
    case insertHistory, editDocument, editCheckpoint, deleteCheckpoint, editControl, insertBeforeTheFirst, storeOtherwise, addRows,
        addSchema
    case appendUnsigned

    /// Whether it is found without a checkpoint that was kept elsewhere.
    var isFoundAlone: Bool { self != .recomputeAll && self != .cutTail }

    /// - Returns: The verdicts that name what was done.
    func carryOut(on path: String, _ evidence: Evidence, _ random: inout SeededGenerator) throws -> Set<AuditVerifier.Verdict> {
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
                let other = try AuditKey.inside(FilePath(evidence.stranger), isNew: true)
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
                return [.gap]
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
                    "UPDATE audit_checkpoint SET frontier = zeroblob(32) WHERE size = (SELECT max(size) FROM audit_checkpoint)",
                    "INSERT INTO audit_checkpoint SELECT 0, note, frontier FROM audit_checkpoint LIMIT 1",
                ]
                try db.execute(sql: edits[target % edits.count])
                return [.modified]
            case .deleteCheckpoint:
                let all = try Int.fetchAll(db, sql: "SELECT size FROM audit_checkpoint ORDER BY size")
                let one = all[Int(choice % UInt64(all.count))]
                let edits = ["size = \(one)", "size >= \(one)", "size <= \(one)", "1"]
                try db.execute(sql: "DELETE FROM audit_checkpoint WHERE \(edits[target % edits.count])")
                return [.truncated]
            case .editControl:
                let id = try Int.fetchAll(db, sql: "SELECT id FROM attempt")[Int(choice % 40)]
                let edits = [
                    "SET confirm_by = at + 60 WHERE id = \(id)", "SET confirm_by = NULL WHERE confirm_by IS NOT NULL",
                    "SET confirm_by = confirm_by + 1", "SET unrestored = 1 - unrestored WHERE id = \(id)",
                    "SET times = times * 2 WHERE id = \(id)", "SET last_at = at WHERE last_at IS NULL",
                    "SET times = 1, last_at = NULL WHERE times > 1", "SET unrestored = 2 WHERE id = \(id)",
                ]
                try db.execute(sql: "UPDATE attempt \(edits[target % edits.count])")
                return [.modified]
            case .insertBeforeTheFirst:
                let id = -Int(choice % 3)
                let edits = [
                    """
                    INSERT INTO attempt (id, triggered_by, actor, reason, at, duration_ns, phase, outcome, environment)
                    VALUES (\(id), 'api', 'unix:0', '', 1, 1, 'validate', 'rejected', 'production')
                    """,
                    "INSERT INTO audit_entry SELECT \(id), leaf, entry FROM audit_entry WHERE seq = \(target)",
                    "INSERT INTO name VALUES (\(id), 'before')",
                    "INSERT INTO document VALUES (\(id), x'\(String(repeating: "00", count: 32))', NULL, 0, NULL, NULL, x'00')",
                    "UPDATE attempt SET id = \(id) WHERE id = (SELECT min(id) FROM attempt)",
                ]
                try db.execute(sql: edits[target % edits.count])
                return [.modified]
            case .storeOtherwise:
                let edits = [
                    "UPDATE audit_entry SET entry = CAST(entry AS BLOB) WHERE seq = \(target)",
                    "UPDATE audit_entry SET leaf = CAST('\(String(repeating: "x", count: 32))' AS TEXT) WHERE seq = \(target)",
                    "UPDATE attempt SET actor = CAST(actor AS BLOB)", "UPDATE attempt SET phase = CAST(phase AS BLOB)",
                    "UPDATE name SET text = CAST(text AS BLOB)", "UPDATE audit_checkpoint SET note = CAST(note AS BLOB)",
                    "UPDATE attempt SET version = CAST(version AS TEXT) || 'x' WHERE version = (SELECT max(version) FROM attempt)",
                ]
                try db.execute(sql: edits[target % edits.count])
                return [.modified]
            case .addRows:
                let edits = [
                    "INSERT INTO name (text) VALUES ('extra')",
                    "INSERT INTO document (sha256, depth, bytes) VALUES (x'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855', 0, x'')",
                    "INSERT INTO grdb_migrations VALUES ('4: more')", "UPDATE sqlite_sequence SET seq = seq + 1",
                    "INSERT INTO sqlite_sequence VALUES ('name', 1)", "UPDATE sqlite_sequence SET seq = seq - 1",
                    "DELETE FROM grdb_migrations WHERE identifier = '2: changes'",
                ]
                try db.execute(sql: edits[target % edits.count])
                return [.modified]
            case .addSchema:
                let edits = [
                    "CREATE TABLE extra (x)", "CREATE VIEW extra AS SELECT 1", "CREATE INDEX extra ON attempt (actor)",
                    "DROP INDEX attempt_unrestored", "ALTER TABLE attempt ADD COLUMN extra AS (actor || 'x')", "PRAGMA user_version = 2",
                    "PRAGMA application_id = 1", "ANALYZE", "ALTER TABLE name RENAME COLUMN text TO txt",
                ]
                try db.execute(sql: edits[target % edits.count])
                return [.modified]
            case .appendUnsigned:
                let actions = [
                    "pruning\nattempts: 40", "confirmation\nversion: 20", "beginning\nafter: 999", "opening\ncheckpoint-every: 1000000",
                    "closing", "restored\nattempt: 3", "policy\ncheckpoint-every: 1000000", "outcome\nattempt: 3\noutcome: reverted",
                    "intent\nattempt: 4",
                ]
                let text = "plue-audit/1\nseq: \(last + 1)\ntime: 2026-01-01T00:00:00.000Z\naction: \(actions[target % actions.count])\n"
                try db.execute(sql: "INSERT INTO audit_entry VALUES (?, ?, ?)", arguments: [last + 1, leafHash(text), text])
                try rebuild(db)
                // With a candidate under way, a start that does not end it is a gap.
                return [.modified, .truncated, .gap]
            }
        }
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
        let logger = quiet
        var ledger = try Ledger(directory: FilePath(root + "/state"), retention: .keep(versions: 40, for: .zero), logger: logger)
        var policy = AuditPolicy()
        policy.checkpointEvery = 10
        ledger.follow(policy)
        try await Self.live(in: ledger, from: 1, to: 30)
        // One is under way when the process ends, and another leaves what it wrote to be put back.
        _ = try await ledger.intend(Self.intent(number: 30, parent: 1))
        let id = try await ledger.intend(Self.intent(number: 29, parent: 1))
        _ = try await ledger.conclude(
            Conclusion(id: id, outcome: .degraded, phase: .record, duration: .zero, problem: "no", isRestored: false))
        try await ledger.close()
        try files.copyItem(atPath: root + "/state", toPath: root + "/older")
        ledger = try Ledger(directory: FilePath(root + "/state"), retention: .keep(versions: 40, for: .zero), logger: logger)
        policy.checkpointEvery = 7
        ledger.follow(policy)
        try await ledger.restored(id)
        try await Self.live(in: ledger, from: 31, to: 60)
        try await ledger.prune(at: .distantFuture)
        try await ledger.heartbeat()
        // As a kill leaves it: what is new is in the log file, which somebody deletes.
        try files.copyItem(atPath: root + "/state", toPath: root + "/unlogged")
        try files.removeItem(atPath: root + "/unlogged/plue.db-wal")
        try files.removeItem(atPath: root + "/unlogged/plue.db-shm")
        // After the pruning: a refusal, one that was met five times, a version that waits to be confirmed, and one that is under way.
        try await Self.live(in: ledger, from: 70, to: 70)
        var waiting = Self.intent(number: 71, parent: 40)
        waiting.confirmation = (Date(timeIntervalSinceReferenceDate: 900_000_000.125), 40)
        _ = try await ledger.conclude(
            Conclusion(id: try await ledger.intend(waiting), outcome: .committed, phase: .record, duration: .zero))
        _ = try await ledger.intend(Self.intent(number: 72, parent: 41))
        try await ledger.close()
        let text = try String(contentsOfFile: root + "/state/audit.pub", encoding: .utf8)
        guard let key = VerifierKey(text) else { throw CocoaError(.fileReadCorruptFile) }
        self.key = key
        kept = Checkpoint.all(in: try String(contentsOfFile: root + "/state/audit.checkpoints", encoding: .utf8))
        // Before the suites copy it: a database that was opened by a reader has its sidecars.
        guard kept.count > 5 else { throw CocoaError(.fileReadCorruptFile) }
    }

    static func live(in ledger: Ledger, from first: Int, to last: Int) async throws {
        // Each is built on the one before, so that documents are chains of what changed.
        var parent = try await ledger.history(HistoryQuery(limit: 1, includesRejected: false)).entries.first?.version?.number
        for number in first...last {
            let id = try await ledger.intend(intent(number: number, parent: parent))
            let outcome: Attempt.Outcome = number % 9 == 0 ? .reverted : .committed
            let version = try await ledger.conclude(
                Conclusion(id: id, outcome: outcome, phase: .record, duration: .milliseconds(3), problem: outcome == .reverted ? "no" : nil)
            )
            parent = version?.number ?? parent
            if number % 20 == 0, let version { try await ledger.endConfirmation(of: version.number, by: Cause(.api, actor: "unix:0")) }
            if number % 7 == 0 {
                try await ledger.reject(
                    Attempt(
                        id: 0, cause: Cause(.api, actor: "unix:0"), at: Date(), phase: .validate, outcome: .rejected, problem: "wrong",
                        diagnostics: [Diagnostic("range", "wrong")], environment: .production))
            }
            if number % 10 == 0 {
                // A broken file, met again and again.
                for _ in 0..<5 {
                    try await ledger.reject(
                        Attempt(
                            id: 0, cause: Cause(.file, actor: "file:0"), at: Date(), phase: .validate, outcome: .rejected,
                            problem: "broken",
                            digest: "sha256:\(number)", environment: .production))
                }
            }
        }
    }

    private static func intent(number: Int, parent: Int?) -> Intent {
        let lines = (0..<20).map { "key_\($0) = \($0 == number % 20 ? number : 0)" }.joined(separator: "\n")
        let documents = [
            StoredDocument(name: "production.ini", bytes: Array("[server]\n\(lines)\n".utf8)),
            StoredDocument(name: "production.d/1.ini", bytes: Array("[x]\nn = \(number)\n".utf8)),
        ]
        let change = DocumentChange(name: "production.d/1.ini", before: Array("[x]\n".utf8), after: documents[1].bytes)
        return Intent(
            cause: Cause(.api, actor: "unix:\(number)", reason: "because\nof \\\(number)"),
            at: Date(timeIntervalSinceReferenceDate: 800_000_000.25 + Double(number)), environment: .production,
            digest: DocumentDigest.of(documents, in: .production), parent: parent, documents: documents,
            changedKeys: [SettingKey(section: "x", name: "n")], writes: [change])
    }

    func copy() throws -> String {
        let path = root + "/copy-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: database, toPath: path + "/plue.db")
        return path
    }

    /// With the three newest checkpoints: what was kept at any time before says no more.
    func verify(_ path: String) -> AuditVerifier.Report { AuditVerifier(key: key, kept: kept.suffix(3)).verify(database: path) }
}
