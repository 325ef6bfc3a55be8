import Foundation
import PlueConfig
import SystemPackage
import Testing

@testable import PlueLedger

@Suite("Reading a ledger beside its writer")
struct ReaderTests {
    @Test("creates nothing and changes nothing: not where there is no ledger, not where there is one")
    func createsNothing() async throws {
        try await withScratch { directory in
            #expect(throws: LedgerError.missing(directory.appending("plue.db"))) { try Ledger.reading(directory) }
            #expect(mode(of: directory) == nil)
            let ledger = try Ledger.open(directory)
            try await ledger.commit("a = 1")
            _ = try await ledger.intend(.some("a = 2"))
            try await ledger.close()
            let before = try contents(directory)
            do {
                let reader = try Ledger.reading(directory)
                let entries = try await reader.history(HistoryQuery()).entries
                // Not recovered: that is the writer's.
                #expect(entries.map(\.attempt.outcome) == [nil, .committed])
                #expect(try await reader.documents(of: 1)?.first?.bytes == Array("a = 1".utf8))
            }
            let after = try contents(directory)
            #expect(after.keys.sorted() == before.keys.sorted())
            #expect(after["plue.db"] == before["plue.db"])
            #expect(after["plue.db-wal"] == before["plue.db-wal"])
            #expect(try Ledger.open(directory).recovered.count == 1)
        }
    }

    @Test("is refused, and nothing is made, when that could not be done without making files")
    func restoredByHand() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory)
            try await ledger.commit("a = 1")
            // Copied while it was open: what is new is in the log file.
            let copy = directory.removingLastComponent().appending("copy")
            mkdir(copy.string, 0o700)
            for name in ["plue.db", "plue.db-wal", "audit.key", "audit.pub"] {
                try FileManager.default.copyItem(atPath: directory.appending(name).string, toPath: copy.appending(name).string)
            }
            try await ledger.close()
            let error = #expect(throws: LedgerError.self) { try Ledger.reading(copy) }
            guard case .unprepared = error else { Issue.record("\(String(describing: error))"); return }
            #expect(mode(of: copy.appending("plue.db-shm")) == nil)
            try await Ledger.open(copy).close()
            #expect(try await Ledger.reading(copy).history(HistoryQuery()).entries.count == 1)
        }
    }

    @Test("needs no files that another tool took away, and makes none")
    func withoutSidecars() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory)
            try await ledger.commit("a = 1")
            try await ledger.close()
            for name in ["plue.db-wal", "plue.db-shm"] { try FileManager.default.removeItem(atPath: directory.appending(name).string) }
            let before = try contents(directory)
            do {
                #expect(try await Ledger.reading(directory).history(HistoryQuery()).entries.count == 1)
            }
            #expect(try contents(directory) == before)
        }
    }

    @Test("never sees half a version, and never makes the writer wait")
    func duringWrites() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory)
            try await ledger.commit("1")
            let reader = try Ledger.reading(directory)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for source in [reader, ledger.reader] {
                    group.addTask {
                        var last = 0
                        while last < 200 {
                            let page = try await source.history(HistoryQuery(limit: 3, includesRejected: false))
                            let version = try #require(page.entries.first?.version)
                            #expect(version.number >= last)
                            last = version.number
                            let documents = try await source.documents(of: version.number)
                            #expect(documents?.first?.bytes == Array("\(version.number)".utf8))
                        }
                        return last
                    }
                }
                for number in 2...200 { try await ledger.commit("\(number)", parent: number - 1) }
                for try await last in group { #expect(last == 200) }
            }
        }
    }

    @Test("works from another process while the writer goes on")
    func fromAnotherProcess() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory)
            try await ledger.commit("a = 1")
            let child = Task {
                _ = await #expect(processExitsWith: .success) { [path = directory.string as String] in
                    let reader = try Ledger.reading(FilePath(path))
                    for _ in 0..<50 {
                        let page = try await reader.history(HistoryQuery(limit: 1_000))
                        #expect(!page.entries.isEmpty)
                    }
                }
            }
            for number in 2...100 { try await ledger.commit("a = \(number)", parent: number - 1) }
            await child.value
            #expect(try await ledger.numbers.count == 100)
        }
    }

    private func contents(_ directory: FilePath) throws -> [String: Data] {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.string)
        return try Dictionary(
            uniqueKeysWithValues: names.map { name in
                (name, try Data(contentsOf: URL(fileURLWithPath: directory.appending(name).string)))
            })
    }
}
