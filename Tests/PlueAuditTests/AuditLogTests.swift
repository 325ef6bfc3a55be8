import Foundation
import GRDB
import Logging
import PlueConfig
import Synchronization
import SystemPackage
import TestGround
import Testing

@testable import PlueAudit
@testable import PlueLedger

/// What the writer of the log does not put up with.
@Suite struct AuditLogTests {
    @Test func `A checkpoint's copy that nobody takes holds up no change and no end`() async throws {
        try await withState { state in
            mkfifo(state.root + "/pipe", 0o600)
            let ledger = try state.open()
            var policy = AuditPolicy()
            policy.checkpointEvery = 1
            policy.exportFile = FilePath(state.root + "/pipe")
            ledger.follow(policy)
            for number in 1...20 { try await state.commit("\(number)", in: ledger) }
            try await ledger.close()
            #expect(state.log.lines.contains { $0.text.contains("could not be kept") && $0.text.contains("pipe") })
            #expect(state.verify().verdict == .intact)
            // A reader makes no difference: it is not a file.
            let end = try FileDescriptor.open(FilePath(state.root + "/pipe"), .readOnly, options: .nonBlocking)
            let again = try state.open()
            again.follow(policy)
            try await state.commit("x", in: again)
            try await again.close()
            try end.close()
        }
    }

    @Test func `A copy that is half-written swallows none that follow`() async throws {
        try await withState { state in
            let path = state.root + "/elsewhere"
            try Data("plue-0123456789abcdef\n7\nAAAA".utf8).write(to: URL(filePath: path))
            let ledger = try state.open()
            var policy = AuditPolicy()
            policy.checkpointEvery = 1
            policy.exportFile = FilePath(path)
            ledger.follow(policy)
            try await state.commit("a", in: ledger)
            try await ledger.close()
            let copies = Checkpoint.all(in: try String(contentsOfFile: path, encoding: .utf8))
            // How often it is signed, the intent, the outcome, the end.
            #expect(copies.map(\.size) == [3, 4, 5, 6])
        }
    }

    @Test func `A key that is gone, spoilt or exchanged is no reason for a new one`() async throws {
        try await withState { state in
            let ledger = try state.open()
            try await state.commit("a", in: ledger)
            try await ledger.close()
            let (key, published) = (state.state + "/audit.key", state.state + "/audit.pub")
            let (own, ownPublished) = (try read(key), try read(published))
            func refused(_ reason: String) throws {
                let error = #expect(throws: LedgerError.self) { try state.open() }
                guard case .auditKey(_, let found) = error else { Issue.record("\(String(describing: error))"); return }
                #expect(found.contains(reason))
                #expect("\(error.map { "\($0)" } ?? "")".contains("--new-audit-log"))
                #expect(try read(published) == ownPublished)
            }
            try FileManager.default.removeItem(atPath: key)
            try refused("is gone")
            #expect(!FileManager.default.fileExists(atPath: key))
            try Data("garbage".utf8).write(to: URL(filePath: key))
            try refused("is not an audit key")
            #expect(try read(key) == "garbage")
            _ = try AuditKey.inside(FilePath(state.root), isNew: true)
            try Data(read(state.root + "/audit.key").utf8).write(to: URL(filePath: key))
            try refused("does not belong to")
            try Data(own.utf8).write(to: URL(filePath: key))
            try FileManager.default.removeItem(atPath: published)
            try await state.open().close()
            #expect(try read(published) == ownPublished)
        }
    }

    @Test(arguments: [
        "UPDATE audit_entry SET entry = replace(entry, 'unix:1', 'unix:2')", "DELETE FROM audit_entry WHERE seq > 3",
        "DELETE FROM audit_entry; DELETE FROM audit_checkpoint; DELETE FROM audit_tree", "DELETE FROM audit_checkpoint",
        "DELETE FROM audit_checkpoint WHERE size > 2", "UPDATE audit_checkpoint SET note = replace(note, 'plue-', 'plue_')",
        "CREATE TRIGGER t AFTER INSERT ON audit_entry BEGIN DELETE FROM audit_entry WHERE seq = 1; END", "DROP INDEX attempt_unrestored",
    ])
    func `A log that somebody worked on is not written any more, and still read`(change: String) async throws {
        try await withState { state in
            let ledger = try state.open()
            try await state.commit("a", in: ledger)
            try await state.commit("b", in: ledger)
            try await ledger.close()
            try state.edit(
                change, rebuilding: change.contains("audit_entry") && !change.contains("TRIGGER") && !change.contains("audit_tree"))
            let before = try read(state.state + "/audit.checkpoints")
            let error = #expect(throws: LedgerError.self) { try state.open() }
            guard case .tampered = error else { Issue.record("\(String(describing: error))"); return }
            #expect(error?.description.contains("plue audit verify") == true)
            #expect(try read(state.state + "/audit.checkpoints") == before)
            #expect(try await Ledger.reading(FilePath(state.state)).history(HistoryQuery()).entries.count == 2)
            #expect(state.verify().verdict != .intact)
        }
    }

    @Test func `An older database beside newer checkpoints is not written any more`() async throws {
        try await withState { state in
            let ledger = try state.open()
            try await state.commit("a", in: ledger)
            try await ledger.close()
            try FileManager.default.copyItem(atPath: state.state + "/plue.db", toPath: state.root + "/older.db")
            let again = try state.open()
            try await state.commit("b", in: again)
            try await again.close()
            try FileManager.default.removeItem(atPath: state.state + "/plue.db")
            try FileManager.default.moveItem(atPath: state.root + "/older.db", toPath: state.state + "/plue.db")
            let error = #expect(throws: LedgerError.self) { try state.open() }
            guard case .tampered = error else { Issue.record("\(String(describing: error))"); return }
        }
    }

    @Test func `What changes in the log while it is open is never signed`() async throws {
        try await withState { state in
            let ledger = try state.open()
            try await state.commit("a", in: ledger)
            try await ledger.checkpoint()
            try state.edit("UPDATE audit_entry SET entry = replace(entry, 'unix:1', 'unix:2')", rebuilding: true)
            await #expect(throws: LedgerError.self) { try await state.commit("b", in: ledger) }
            await #expect(throws: LedgerError.self) { try await ledger.heartbeat() }
            try await ledger.close()
            #expect(state.verify().verdict == .modified)
        }
    }

    @Test func `A process that was killed is ended by the next one, and its log is whole`() async throws {
        try await withState { state in
            let ledger = try state.open()
            try await state.commit("a", in: ledger)
            _ = try await ledger.intend(state.intent("b"))
            try await ledger.close()
            #expect(state.verify().verdict == .intact)
            let again = try state.open()
            #expect(again.recovered.count == 1)
            try await again.close()
            #expect(state.verify().verdict == .intact)
            // Without the outcome that the second start told of, and without the row: something is missing.
            try state.edit("DELETE FROM audit_entry WHERE entry LIKE '%interrupted%'", rebuilding: false)
            #expect(state.verify().verdict == .gap)
        }
    }

    @Test func `A history older than its log holds nothing that acts by itself, and ends before the log begins`() async throws {
        try await withState { state in
            let ledger = try state.open()
            try await state.commit("a", in: ledger)
            var waiting = state.intent("b")
            waiting.confirmation = (.distantFuture, 1)
            _ = try await ledger.conclude(
                Conclusion(id: try await ledger.intend(waiting), outcome: .committed, phase: .record, duration: .zero))
            try await ledger.close()
            try await LedgerBackup.write(FilePath(state.state), to: FilePath(state.root + "/backup"))
            let restored = State(root: state.root, name: "restored", log: state.log)
            try await LedgerBackup.restore(FilePath(state.root + "/backup"), into: FilePath(restored.state), log: .new) { _ in }
            let again = try restored.open()
            #expect(try await again.pendingConfirmation(of: .production) == nil)
            try await restored.commit("c", in: again)
            try await again.close()
            #expect(restored.verify().verdict == .intact, "\(restored.verify().finding)")
            for change in [
                "UPDATE attempt SET confirm_by = 1 WHERE id = 1", "UPDATE attempt SET unrestored = 1 WHERE id = 2",
                "UPDATE attempt SET version = 9 WHERE id = 2", "DELETE FROM audit_entry WHERE seq = 1",
            ] {
                try FileManager.default.copyItem(atPath: restored.state, toPath: state.root + "/changed")
                let changed = State(root: state.root, name: "changed", log: state.log)
                try changed.edit(change, rebuilding: false)
                #expect(changed.verify().verdict == (change.hasPrefix("DELETE") ? .gap : .modified), "\(change)")
                try FileManager.default.removeItem(atPath: changed.state)
            }
        }
    }

    private func read(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
}

/// A state directory of one test's own.
private struct State {
    let root: String
    var name = "state"
    let log: Log
    var state: String { root + "/" + name }

    func open() throws -> Ledger {
        try Ledger(directory: FilePath(state), logger: log.logger)
    }

    func intent(_ text: String) -> Intent {
        let documents = [StoredDocument(name: "base.ini", bytes: Array("[a]\nb = \(text)\n".utf8))]
        return Intent(
            cause: Cause(.api, actor: "unix:1", reason: "r"), at: Date(), environment: .production,
            digest: DocumentDigest.of(documents, in: .production), parent: nil, documents: documents, changedKeys: [])
    }

    func commit(_ text: String, in ledger: Ledger) async throws {
        let id = try await ledger.intend(intent(text))
        _ = try await ledger.conclude(Conclusion(id: id, outcome: .committed, phase: .record, duration: .zero))
    }

    /// As somebody else would, leaves and the tree's edge included if they know how.
    func edit(_ change: String, rebuilding: Bool) throws {
        let queue = try DatabaseQueue(path: state + "/plue.db")
        try queue.write { db in
            try db.execute(sql: change)
            guard rebuilding else { return }
            var tree = MerkleFrontier()
            for text in try String.fetchAll(db, sql: "SELECT entry FROM audit_entry ORDER BY seq") {
                tree.append(MerkleFrontier.leaf(text))
                try db.execute(
                    sql: "UPDATE audit_entry SET leaf = ? WHERE seq = ?", arguments: [Data(MerkleFrontier.leaf(text)), tree.size])
            }
            try db.execute(sql: "UPDATE audit_tree SET size = ?, frontier = ?", arguments: [tree.size, tree.packed])
        }
        try queue.close()
    }

    func verify() -> AuditVerifier.Report {
        guard let key = VerifierKey((try? String(contentsOfFile: state + "/audit.pub", encoding: .utf8)) ?? "") else {
            return AuditVerifier.Report(verdict: .unknownKey, finding: "no key")
        }
        return AuditVerifier(key: key, kept: []).verify(database: state + "/plue.db")
    }
}

private func withState(_ body: (State) async throws -> Void) async throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "plue-audit-\(UUID().uuidString.prefix(8))").path
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    try await body(State(root: root, log: Log()))
}
