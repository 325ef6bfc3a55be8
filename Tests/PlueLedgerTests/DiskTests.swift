import Foundation
import GRDB
import PlueConfig
import SystemPackage
import TestGround
import Testing

@testable import PlueLedger

@Suite("A disk that fails")
struct DiskTests {
    @Test("a full database refuses the intent, keeps what was there, and goes on when there is room")
    func maximumSize() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory)
            try await ledger.commit("a = 1")
            try await ledger.pool.writeWithoutTransaction { db in
                let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
                try db.execute(sql: "PRAGMA max_page_count = \(pages + 2)")
            }
            let large = (0..<20_000).map { "key\($0) = \($0)" }.joined(separator: "\n")
            let error = await #expect(throws: LedgerError.self) { try await ledger.intend(.some(large)) }
            guard case .diskFull = error else { Issue.record("\(String(describing: error))"); return }
            #expect(try await ledger.outcomes == [.committed])
            try await ledger.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 1000000") }
            #expect(try await ledger.commit(large, parent: 1)?.number == 2)
            #expect(try await integrity(of: ledger) == "ok")
        }
    }

    #if os(Linux)
    @Test("a full file system refuses the intent, keeps what was there, and goes on when there is room", .enabled(if: canMount))
    func fullFileSystem() async throws {
        try await withScratch { directory in
            try await withFileSystem(at: directory, "size=1m,mode=700") {
                let ledger = try Ledger.open(directory)
                try await ledger.commit("a = 1")
                let ballast = directory.appending("ballast").string
                _ = FileManager.default.createFile(atPath: ballast, contents: Data(repeating: 1, count: 700_000))
                var random = SeededGenerator(seed: 1)
                var error: LedgerError?
                var committed = 1
                do {
                    for _ in 0..<100 {
                        let text = (0..<400).map { _ in "k = \(random.next())" }.joined(separator: "\n")
                        try await ledger.commit(text, parent: committed)
                        committed += 1
                    }
                } catch let caught as LedgerError { error = caught }
                guard case .diskFull = error else { Issue.record("\(String(describing: error))"); return }
                #expect(try await ledger.numbers.count == committed)
                try FileManager.default.removeItem(atPath: ballast)
                #expect(try await ledger.commit("a = 2", parent: committed)?.number == committed + 1)
                #expect(try await integrity(of: ledger) == "ok")
                try await ledger.close()
            }
        }
    }

    @Test("a read-only file system says so and can still be read", .enabled(if: canMount))
    func readOnly() async throws {
        try await withScratch { directory in
            try await withFileSystem(at: directory, "size=1m,mode=700") {
                let ledger = try Ledger.open(directory)
                try await ledger.commit("a = 1")
                try await ledger.close()
                try #require(mount("tmpfs", directory.string, "tmpfs", UInt(MS_REMOUNT | MS_RDONLY), "size=1m,mode=700") == 0)
                let error = #expect(throws: LedgerError.self) { try Ledger.open(directory) }
                guard case .readOnly = error else { Issue.record("\(String(describing: error))"); return }
                let page = try await Ledger.reading(directory).history(HistoryQuery())
                #expect(page.entries.compactMap(\.version?.number) == [1])
            }
        }
    }
    #endif

    @Test("a database another program locks says so after the busy timeout, and goes on afterwards")
    func locked() async throws {
        try await withScratch { directory in
            let ledger = try Ledger(directory: directory, retention: .standard, logger: quiet, busyTimeout: 0.05)
            try await ledger.commit("a = 1")
            var configuration = Configuration()
            configuration.allowsUnsafeTransactions = true
            let other = try DatabaseQueue(path: directory.appending("plue.db").string, configuration: configuration)
            try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
            let error = await #expect(throws: LedgerError.self) { try await ledger.commit("a = 2", parent: 1) }
            guard case .locked = error else { Issue.record("\(String(describing: error))"); return }
            try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
            #expect(try await ledger.commit("a = 2", parent: 1)?.number == 2)
        }
    }
}

#if os(Linux)
let canMount: Bool = {
    guard geteuid() == 0 else { return false }
    let path = NSTemporaryDirectory() + "plue-mount-\(getpid())"
    mkdir(path, 0o700)
    defer { rmdir(path) }
    guard mount("tmpfs", path, "tmpfs", 0, "size=64k") == 0 else { return false }
    return umount(path) == 0
}()

private func withFileSystem(at directory: FilePath, _ options: String, _ body: () async throws -> Void) async throws {
    mkdir(directory.string, 0o700)
    try #require(mount("tmpfs", directory.string, "tmpfs", 0, options) == 0)
    defer { umount2(directory.string, Int32(MNT_DETACH)) }
    try await body()
}
#endif
