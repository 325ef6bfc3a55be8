import Foundation
import GRDB
import PlueConfig
import SystemPackage
import Testing

@testable import PlueLedger

@Suite struct BackupTests {
    @Test func `A backup taken while versions are written is one moment, and numbers go on after it is restored`() async throws {
        try await withScratch { directory in
            let root = directory.removingLastComponent()
            let ledger = try Ledger.open(directory)
            let writing = Task {
                for number in 1...200 { try await ledger.commit("[a]\nb = \(number)\n", day: Double(number)) }
            }
            var backups: [FilePath] = []
            for number in 1...5 {
                let file = root.appending("backup-\(number)")
                try await LedgerBackup.write(directory, to: file)
                backups.append(file)
                #expect(mode(of: file) == 0o600)
            }
            try await writing.value
            try await ledger.close()
            for (index, file) in backups.enumerated() {
                let other = root.appending("restored-\(index)")
                try await LedgerBackup.restore(file, into: other) { _ in }
                let restored = try Ledger.open(other)
                let numbers = try await restored.numbers
                let newest = numbers.first ?? 0
                #expect(numbers == Array((max(1, newest - 999)...max(1, newest)).reversed()) || newest == 0)
                for number in numbers {
                    #expect(try await restored.documents(of: number)?.first?.bytes == Array("[a]\nb = \(number)\n".utf8))
                }
                #expect(try await restored.commit("[a]\nb = x\n")?.number == newest + 1)
                try await restored.close()
                #expect(
                    try String(contentsOfFile: other.appending("audit.key").string, encoding: .utf8)
                        == String(contentsOfFile: directory.appending("audit.key").string, encoding: .utf8))
            }
        }
    }

    @Test func `What is no backup, what is there already and what is in use are refused, and nothing is left`() async throws {
        try await withScratch { directory in
            let root = directory.removingLastComponent()
            let ledger = try Ledger.open(directory)
            try await ledger.commit("[a]\n")
            let file = root.appending("backup")
            try await LedgerBackup.write(directory, to: file)
            await #expect(throws: LedgerError.exists(file)) { try await LedgerBackup.write(directory, to: file) }
            await #expect(throws: LedgerError.self) { try await LedgerBackup.restore(file, into: directory) { _ in } }
            try await ledger.close()
            await #expect {
                try await LedgerBackup.restore(file, into: directory) { _ in }
            } throws: {
                "\($0)".contains("holds a history already")
            }
            let other = root.appending("other")
            try Data("junk".utf8).write(to: URL(filePath: root.appending("junk").string))
            await #expect(throws: LedgerError.self) { try await LedgerBackup.restore(root.appending("junk"), into: other) { _ in } }
            // A database, but not a backup's.
            await #expect(throws: LedgerError.self) { try await LedgerBackup.restore(directory.appending("plue.db"), into: other) { _ in } }
            await #expect(throws: LedgerError.missing(root.appending("nothing"))) {
                try await LedgerBackup.restore(root.appending("nothing"), into: other) { _ in }
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: other.string) == ["plue.lock"])
        }
    }

    @Test func `Nothing that somebody put into a backup runs, and what it lacks is said`() async throws {
        try await withScratch { directory in
            let root = directory.removingLastComponent()
            let ledger = try Ledger.open(directory)
            try await ledger.commit("[a]\n")
            try await ledger.close()
            func backup(_ name: String, _ change: String) async throws -> FilePath {
                let file = root.appending(name)
                try await LedgerBackup.write(directory, to: file)
                let queue = try DatabaseQueue(path: file.string)
                try await queue.writeWithoutTransaction { try $0.execute(sql: change) }
                try queue.close()
                return file
            }
            let trigger = try await backup("trigger", "CREATE TRIGGER t AFTER INSERT ON attempt BEGIN DELETE FROM audit_entry; END")
            await #expect {
                try await LedgerBackup.restore(trigger, into: root.appending("a")) { _ in }
            } throws: {
                "\($0)".contains("trigger 't'")
            }
            let keyless = try await backup("keyless", "DELETE FROM backup_file WHERE name = 'audit.key'")
            await #expect(throws: LedgerError.withoutAuditKey(keyless)) {
                try await LedgerBackup.restore(keyless, into: root.appending("b")) { _ in }
            }
            struct Refused: Error {}
            await #expect(throws: Refused.self) {
                try await LedgerBackup.restore(try await backup("plain", "SELECT 1"), into: root.appending("c")) { contents in
                    #expect(contents.publicKey.hasPrefix("plue-"))
                    throw Refused()
                }
            }
            for name in ["a", "b", "c"] {
                #expect(try FileManager.default.contentsOfDirectory(atPath: root.appending(name).string) == ["plue.lock"])
            }
            // With a new log the history goes on, under another key.
            try await LedgerBackup.restore(keyless, into: root.appending("b"), log: .new) { _ in Issue.record("there is nothing to verify")
            }
            let restored = try Ledger.open(root.appending("b"))
            #expect(try await restored.commit("[b]\n")?.number == 2)
            try await restored.close()
            let keys = try [directory, root.appending("b")].map {
                try String(contentsOfFile: $0.appending("audit.pub").string, encoding: .utf8)
            }
            #expect(keys[0] != keys[1])
        }
    }

    @Test func `What lies about where a backup is restored is replaced, and nothing is written through it`() async throws {
        try await withScratch { directory in
            let root = directory.removingLastComponent()
            let ledger = try Ledger.open(directory)
            try await ledger.commit("[a]\n")
            try await ledger.close()
            try await LedgerBackup.write(directory, to: root.appending("backup"))
            let other = root.appending("other")
            mkdir(other.string, 0o700)
            try Data("old".utf8).write(to: URL(filePath: other.appending("audit.key").string))
            chmod(other.appending("audit.key").string, 0o644)
            try Data("mine".utf8).write(to: URL(filePath: root.appending("mine").string))
            symlink(root.appending("mine").string, other.appending("audit.pub").string)
            try await LedgerBackup.restore(root.appending("backup"), into: other) { _ in }
            #expect(mode(of: other.appending("audit.key")) == 0o600)
            #expect(try String(contentsOfFile: root.appending("mine").string, encoding: .utf8) == "mine")
            #expect(try Ledger.open(other).recovered.isEmpty)
        }
    }

    @Test func `Pruning keeps the version that may have to come back`() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory, retention: .keep(versions: 2, for: .zero))
            for number in 1...5 { try await ledger.commit("[a]\nb = \(number)\n", day: Double(number)) }
            var intent = Intent.some("[a]\nb = 6\n", day: 6)
            intent.confirmation = (.distantFuture, 3)
            let id = try await ledger.intend(intent)
            _ = try await ledger.conclude(Conclusion(id: id, outcome: .committed, phase: .record, duration: .zero))
            try await ledger.prune(at: .day(100))
            #expect(try await ledger.numbers == [6, 5, 4, 3])
            try await ledger.endConfirmation(of: 6, by: Cause(.api, actor: "unix:0"))
            try await ledger.prune(at: .day(100))
            #expect(try await ledger.numbers == [6, 5])
            try await ledger.close()
        }
    }
}
