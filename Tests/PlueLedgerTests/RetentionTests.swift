import Foundation
import GRDB
import PlueConfig
import SystemPackage
import Testing

@testable import PlueLedger

@Suite("Retention")
struct RetentionTests {
    @Test("removes versions beyond both limits and no other, and numbering goes on")
    func bothLimits() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory, retention: .keep(versions: 3, for: .seconds(10 * 86_400)))
            for number in 1...10 { try await ledger.commit("a = \(number)", day: Double(number), parent: number - 1) }
            try await ledger.prune(at: .day(15))  // 1...4 are older than 10 days
            #expect(try await ledger.numbers == [10, 9, 8, 7, 6, 5])
            try await ledger.prune(at: .day(100))  // all are, but three stay
            #expect(try await ledger.numbers == [10, 9, 8])
            #expect(try await ledger.documents(of: 7) == nil)
            #expect(try await ledger.documents(of: 8)?.first?.bytes == Array("a = 8".utf8))
            #expect(try await ledger.commit("a = 11", day: 101, parent: 10)?.number == 11)
            try await ledger.close()
            #expect(try await Ledger.open(directory).numbers == [11, 10, 9, 8])
        }
    }

    @Test("keeps the running version and the one before it, whatever is asked for")
    func runningStays() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory, retention: .keep(versions: 0, for: .zero, refusals: 0))
            for number in 1...5 { try await ledger.commit("a = \(number)", day: Double(number), parent: number - 1) }
            _ = try await ledger.intend(.some("under way", day: 6))
            try await ledger.prune(at: .day(10_000))
            #expect(try await ledger.numbers == [5, 4])
            #expect(try await ledger.outcomes == [nil, .committed, .committed])
        }
    }

    @Test("removes refusals by age and number, counting from when they were first met, which the audit log binds")
    func refusals() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory, retention: .keep(versions: 3, for: .seconds(10 * 86_400), refusals: 4))
            for day in 1...8 { try await ledger.reject(.refusal("\(day)", day: Double(day))) }
            try await ledger.prune(at: .day(9))
            var kept = try await ledger.history(HistoryQuery()).entries
            #expect(kept.map(\.attempt.problem) == ["8", "7", "6", "5"])
            try await ledger.reject(.refusal("again", day: 9, .file))
            try await ledger.reject(.refusal("again", day: 18, .file))
            try await ledger.prune(at: .day(18.5))
            kept = try await ledger.history(HistoryQuery()).entries
            #expect(kept.map(\.attempt.problem) == ["again"])
            try await ledger.prune(at: .day(19.5))
            #expect(try await ledger.history(HistoryQuery()).entries.isEmpty)
        }
    }

    @Test("removes the documents nothing kept refers to, and every kept one stays readable")
    func documentsGo() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory, retention: .keep(versions: 5, for: .zero))
            func text(_ number: Int) -> String {
                (0..<100).map { "key\($0) = \($0 == number % 100 ? "SECRET-\(number)-" : "value")" }.joined(separator: "\n")
            }
            for number in 1...60 {
                try await ledger.commit(text(number), day: Double(number), parent: number > 1 ? number - 1 : nil)
            }
            try await ledger.prune(at: .day(1_000))
            for number in 56...60 {
                #expect(try await ledger.documents(of: number)?.first?.bytes == Array(text(number).utf8))
            }
            let documents = try await ledger.pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM document") }
            #expect(documents == 5)
            #expect(try await integrity(of: ledger) == "ok")
            try await ledger.close()
            // secure_delete, and a log that is emptied at close: what was pruned is in no file any more.
            for file in ["plue.db", "plue.db-wal"] {
                let bytes = try Data(contentsOf: URL(fileURLWithPath: directory.appending(file).string))
                #expect(bytes.range(of: Data("SECRET-3-".utf8)) == nil, "SECRET-3 in \(file) of \(bytes.count)")
                #expect(bytes.range(of: Data("SECRET-54-".utf8)) == nil, "SECRET-54 in \(file) of \(bytes.count)")
            }
        }
    }

    @Test("happens by itself")
    func byItself() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory, retention: .keep(versions: 10, for: .zero, refusals: 10))
            for number in 1...300 {
                try await ledger.commit("a = \(number)", day: Double(number), parent: number - 1)
                try await ledger.reject(.refusal("\(number)", day: Double(number)))
            }
            // Behind the writer's queue, where pruning runs.
            let rows = try await ledger.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "SELECT count(*) FROM attempt") }
            #expect(try #require(rows) <= 20 + Retention.interval)
            #expect(try await ledger.numbers.first == 300)
        }
    }

    @Test("a broken file met ten thousand times is one row")
    func brokenFile() async throws {
        try await withScratch { directory in
            let ledger = try Ledger.open(directory)
            for minute in 0..<500 { try await ledger.reject(.refusal("no", day: Double(minute) / 1440, .file)) }
            let rows = try await ledger.pool.read { db in
                try Row.fetchAll(db, sql: "SELECT times, last_at FROM attempt").map { [$0["times"] as Double, $0["last_at"]] }
            }
            #expect(rows == [[500, Date.day(499.0 / 1440).timeIntervalSinceReferenceDate]])
        }
    }
}
