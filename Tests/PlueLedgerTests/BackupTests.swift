import Foundation
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
                try await LedgerBackup.restore(file, into: other)
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
            await #expect(throws: LedgerError.self) { try await LedgerBackup.restore(file, into: directory) }
            try await ledger.close()
            await #expect {
                try await LedgerBackup.restore(file, into: directory)
            } throws: {
                "\($0)".contains("holds a history already")
            }
            let other = root.appending("other")
            try Data("junk".utf8).write(to: URL(filePath: root.appending("junk").string))
            await #expect(throws: LedgerError.self) { try await LedgerBackup.restore(root.appending("junk"), into: other) }
            // A database, but not a backup's.
            await #expect(throws: LedgerError.self) { try await LedgerBackup.restore(directory.appending("plue.db"), into: other) }
            await #expect(throws: LedgerError.missing(root.appending("nothing"))) {
                try await LedgerBackup.restore(root.appending("nothing"), into: other)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: other.string) == ["plue.lock"])
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
