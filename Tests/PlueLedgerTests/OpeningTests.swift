import Foundation
import GRDB
import PlueConfig
import SystemPackage
import TestGround
import Testing

@testable import PlueLedger

@Suite("Opening a ledger")
struct OpeningTests {
    @Test("makes a directory of 0700 and files of 0600, whatever the umask")
    func modes() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory.appending("deep/er"))
            try await ledger.commit("a = 1")
            #expect(mode(of: directory) == 0o700)
            #expect(mode(of: directory.appending("deep/er")) == 0o700)
            for file in ["plue.db", "plue.db-wal", "plue.db-shm", "plue.lock"] {
                #expect(mode(of: directory.appending("deep/er").appending(file)) == 0o600, "\(file)")
            }
            await #expect(processExitsWith: .success) { [path = directory.string as String] in
                umask(0)
                let loose = try Ledger.open(FilePath(path).appending("loose"))
                try await loose.commit("a = 1")
                umask(0o777)
                let tight = try Ledger.open(FilePath(path).appending("tight"))
                try await tight.commit("a = 1")
                for name in ["loose", "tight"] {
                    let directory = FilePath(path).appending(name)
                    #expect(mode(of: directory) == 0o700)
                    #expect(mode(of: directory.appending("plue.db")) == 0o600)
                    #expect(mode(of: directory.appending("plue.db-wal")) == 0o600)
                }
            }
        }
    }

    @Test("a second time in one process is refused until the first is closed")
    func oneWriter() async throws {
        try await withScratch { directory in
            let first = try Ledger.open(directory)
            let error = #expect(throws: LedgerError.self) { try Ledger.open(directory) }
            guard case .inUse(_, pid: getpid()) = error else { Issue.record("\(String(describing: error))"); return }
            #expect(error?.description.hasPrefix("another plue is using this state directory") == true)
            // The refused one must not have taken the first one's locks along.
            try await first.commit("a = 1")
            try await first.close()
            await #expect(throws: LedgerError.closed) { try await first.commit("a = 2") }
            #expect(try await Ledger.open(directory).numbers == [1])
        }
    }

    @Test("refuses a directory or file that group or others may write", arguments: ["", "plue.db", "plue.db-wal"])
    func writableByOthers(name: String) async throws {
        try await withScratch { directory in
            try await Ledger.open(directory).close()
            let path = name.isEmpty ? directory : directory.appending(name)
            chmod(path.string, 0o720)
            let error = #expect(throws: LedgerError.self) { try Ledger.open(directory) }
            guard case .writableByOthers(_, mode: 0o720) = error else { Issue.record("\(String(describing: error))"); return }
            #expect(throws: LedgerError.self) { try Ledger.reading(directory) }
        }
    }

    @Test("refuses what belongs to somebody else", .enabled(if: geteuid() == 0), arguments: ["", "plue.db"])
    func foreignOwner(name: String) async throws {
        try await withScratch { directory in
            try await Ledger.open(directory).close()
            chown((name.isEmpty ? directory : directory.appending(name)).string, 65_534, 65_534)
            let error = #expect(throws: LedgerError.self) { try Ledger.open(directory) }
            guard case .foreignOwner(_, uid: 65_534) = error else { Issue.record("\(String(describing: error))"); return }
        }
    }

    @Test("takes the rights of others to read a file away")
    func tightens() async throws {
        try await withScratch { directory in
            try await Ledger.open(directory).close()
            chmod(directory.appending("plue.db").string, 0o644)
            _ = try Ledger.open(directory)
            #expect(mode(of: directory.appending("plue.db")) == 0o600)
        }
    }

    @Test("follows a link to the directory, but not one in place of the database")
    func links() async throws {
        try await withScratch { directory in
            try await Ledger.open(directory).close()
            let link = directory.removingLastComponent().appending("link")
            try FileManager.default.createSymbolicLink(atPath: link.string, withDestinationPath: directory.string)
            try await Ledger.open(link).close()
            let database = directory.appending("plue.db")
            try FileManager.default.moveItem(atPath: database.string, toPath: directory.appending("elsewhere").string)
            try FileManager.default.createSymbolicLink(atPath: database.string, withDestinationPath: "elsewhere")
            #expect(throws: LedgerError.notAFile(try resolved(directory).appending("plue.db"))) { try Ledger.open(directory) }
        }
    }

    @Test("refuses a file that is not SQLite, and leaves it as it was")
    func notSQLite() async throws {
        try await withScratch { directory in
            try await Ledger.open(directory).close()
            let text = Data(String(repeating: "not a database\n", count: 1_000).utf8)
            let database = URL(fileURLWithPath: directory.appending("plue.db").string)
            try text.write(to: database)
            chmod(database.path, 0o600)
            let error = #expect(throws: LedgerError.self) { try Ledger.open(directory) }
            guard case .notALedger = error else { Issue.record("\(String(describing: error))"); return }
            #expect(error?.description.contains("restore a backup") == true)
            #expect(try Data(contentsOf: database) == text)
        }
    }

    @Test("refuses another application's database, and leaves it as it was")
    func anotherApplication() async throws {
        try await withScratch { directory in
            mkdir(directory.string, 0o700)
            let database = directory.appending("plue.db")
            let queue = try DatabaseQueue(path: database.string)
            try await queue.write { try $0.execute(sql: "CREATE TABLE bookmark (id INTEGER PRIMARY KEY)") }
            try queue.close()
            chmod(database.string, 0o600)
            let before = try Data(contentsOf: URL(fileURLWithPath: database.string))
            #expect(throws: LedgerError.notALedger(try resolved(directory).appending("plue.db"))) { try Ledger.open(directory) }
            #expect(try Data(contentsOf: URL(fileURLWithPath: database.string)) == before)
        }
    }

    @Test("goes on where a first start was killed before the first migration")
    func beforeTheFirstMigration() async throws {
        try await withScratch { directory in
            mkdir(directory.string, 0o700)
            let queue = try DatabaseQueue(path: directory.appending("plue.db").string)
            try await queue.write { try $0.execute(sql: "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)") }
            try queue.close()
            chmod(directory.appending("plue.db").string, 0o600)
            let ledger = try Ledger.open(directory)
            #expect(try await ledger.commit("a = 1")?.number == 1)
        }
    }

    @Test("refuses the database of a newer Plue, to write and to read")
    func newer() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory)
            try await ledger.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = 99") }
            try await ledger.close()
            let expected = LedgerError.newer(try resolved(directory).appending("plue.db"), format: 99, known: 4)
            #expect(throws: expected) { try Ledger.open(directory) }
            #expect(throws: expected) { try Ledger.reading(directory) }
            #expect(expected.description.contains("newer Plue"))
        }
    }

    @Test("or using a damaged database says so, and does not trap", arguments: 1...8)
    func damaged(seed: UInt64) async throws {
        try await withScratch { directory in
            var ledger = try Ledger.open(directory)
            for number in 1...60 {
                try await ledger.commit(String(repeating: "key = \(number)\n", count: 100), name: "\(number).ini")
            }
            try await ledger.close()
            let database = URL(fileURLWithPath: directory.appending("plue.db").string)
            var bytes = try Data(contentsOf: database)
            var random = SeededGenerator(seed: seed)
            for index in 100..<bytes.count where seed > 4 || index > 4096 {
                if Int.random(in: 0..<3, using: &random) == 0 { bytes[index] = UInt8.random(in: 0...255, using: &random) }
            }
            try bytes.write(to: database)
            chmod(database.path, 0o600)
            do {
                ledger = try Ledger.open(directory)
                _ = try await ledger.history(HistoryQuery(limit: 1_000))
                for number in 1...60 { _ = try await ledger.documents(of: number) }
                Issue.record("nothing was noticed")
            } catch LedgerError.corrupt(_, let reason) {
                #expect(!reason.isEmpty)
            } catch LedgerError.tampered(_, let reason) {
                #expect(!reason.isEmpty)
            } catch LedgerError.notALedger, LedgerError.newer {
                // The header was hit: also a way to say it.
                #expect(seed > 4)
            }
        }
    }

    @Test("a byte here or there that is wrong is an error or harmless, never a trap", arguments: 1...60)
    func singleBytes(seed: UInt64) async throws {
        try await withScratch { directory in
            var ledger = try Ledger.open(directory, retention: .keep(versions: 5, for: .zero))
            for number in 1...12 {
                try await ledger.commit(String(repeating: "key = \(number)\n", count: 40), parent: number - 1)
                try await ledger.reject(.refusal("\(number)"))
            }
            try await ledger.close()
            let database = URL(fileURLWithPath: directory.appending("plue.db").string)
            var bytes = try Data(contentsOf: database)
            var random = SeededGenerator(seed: seed)
            for _ in 0..<Int.random(in: 1...200, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            try bytes.write(to: database)
            chmod(database.path, 0o600)
            do {
                ledger = try Ledger.open(directory, retention: .keep(versions: 5, for: .zero))
            } catch is LedgerError { return }
            for number in 1...12 { await tolerated { _ = try await ledger.documents(of: number) } }
            await tolerated { _ = try await ledger.history(HistoryQuery()) }
            await tolerated { try await ledger.commit("key = 0", parent: 12) }
            await tolerated { try await ledger.reject(.refusal("x")) }
            await tolerated { try await ledger.prune(at: .day(1)) }
        }
    }

    @Test(
        "a column of the wrong type is damage, not a trap",
        arguments: [
            "version = 'x', outcome = 'committed'", "parent = 'x'", "triggered_by = 'x'", "actor = x'ff'", "at = 'x'",
            "duration_ns = 'x'", "phase = 7", "outcome = 'x', version = NULL", "environment = x'ff'", "changed_keys = '{'",
            "services = '[1]'", "diagnostics = x'00'", "version = 9223372036854775807",
        ])
    func wrongTypes(assignment: String) async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory)
            try await ledger.commit("a = 1")
            try await ledger.pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA ignore_check_constraints = ON; UPDATE attempt SET \(assignment)")
            }
            await tolerated { _ = try await ledger.history(HistoryQuery()) }
            await tolerated { try await ledger.commit("a = 2", parent: 1) }
            await tolerated { try await ledger.prune(at: .day(9_999)) }
        }
    }

    /// An error of ours is an answer; another one, or a trap, is not.
    private func tolerated(_ body: () async throws -> Void) async {
        do { try await body() } catch is LedgerError {} catch { Issue.record("\(error)") }
    }

    @Test("a state directory that cannot be made says which and why")
    func unusable() async throws {
        try await withScratch { directory in
            _ = FileManager.default.createFile(atPath: directory.string, contents: nil)
            let error = #expect(throws: LedgerError.self) { try Ledger.open(directory.appending("inside")) }
            guard case .notAFile = error else { Issue.record("\(String(describing: error))"); return }
            guard case .notAFile = #expect(throws: LedgerError.self, performing: { try Ledger.open(directory) })
            else { Issue.record("a file is not a directory"); return }
        }
    }

    private func resolved(_ directory: FilePath) throws -> FilePath {
        FilePath(URL(fileURLWithPath: directory.string).resolvingSymlinksInPath().path)
    }
}
