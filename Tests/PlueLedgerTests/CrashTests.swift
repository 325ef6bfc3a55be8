import Foundation
import GRDB
import PlueConfig
import SystemPackage
import Testing

@testable import PlueLedger

/// Children of the test process that end by a real SIGKILL.
@Suite("A killed process")
struct CrashTests {
    @Test("between intent and outcome leaves one interrupted attempt and loses nothing")
    func betweenIntentAndOutcome() async throws {
        try await withScratch { directory in
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.string as String] in
                let ledger = try Ledger.open(FilePath(path))
                try await ledger.commit("a = 1", day: 1)
                try await ledger.commit("a = 2", day: 2, parent: 1)
                _ = try await ledger.intend(.some("a = 3", day: 3, parent: 2))
                kill(getpid(), SIGKILL)
            }
            let ledger = try Ledger.open(directory)
            let recovered = try #require(ledger.recovered.first)
            #expect(ledger.recovered.count == 1)
            #expect(recovered.outcome == .interrupted)
            #expect(recovered.at == .day(3))
            let wanted = try #require(try await ledger.documents(ofAttempt: recovered.id))
            #expect(wanted.map(\.bytes) == [Array("a = 3".utf8)])
            #expect(try await ledger.outcomes == [.interrupted, .committed, .committed])
            #expect(try await ledger.numbers == [2, 1])
            #expect(try await ledger.documents(of: 2)?.first?.bytes == Array("a = 2".utf8))
            #expect(try await ledger.commit("a = 4", parent: 2)?.number == 3)
            try await ledger.close()
            #expect(try Ledger.open(directory).recovered.isEmpty)
        }
    }

    @Test("at any moment leaves every version it was told of, whole, and at most one interrupted", arguments: 1...6)
    func atAnyMoment(round: Int) async throws {
        try await withScratch { directory in
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.string as String, round = round as Int] in
                let ledger = try Ledger.open(FilePath(path))
                let told = try FileDescriptor.open(
                    FilePath(path).removingLastComponent().appending("told"), .writeOnly, options: [.create, .append],
                    permissions: .ownerReadWrite)
                for number in 1... {
                    let text = String(repeating: "key = \(number)\n", count: 200)
                    try await ledger.commit(text, parent: number > 1 ? number - 1 : nil)
                    try told.writeAll("x".utf8)
                    guard number == 5 else { continue }
                    Thread.detachNewThread {
                        usleep(UInt32(round * 7_919))
                        kill(getpid(), SIGKILL)
                    }
                }
            }
            let told = try Data(contentsOf: URL(fileURLWithPath: directory.removingLastComponent().appending("told").string)).count
            let ledger = try Ledger.open(directory)
            #expect(told >= 5)
            #expect(ledger.recovered.count <= 1)
            let numbers = try await ledger.numbers
            #expect(numbers.count == told || numbers.count == told + 1)
            #expect(numbers == (1..<numbers.count + 1).reversed())
            for number in numbers {
                let documents = try #require(try await ledger.documents(of: number))
                #expect(documents.first?.bytes == Array(String(repeating: "key = \(number)\n", count: 200).utf8))
            }
            #expect(try await integrity(of: ledger) == "ok")
        }
    }

    @Test("while it writes keeps others out, who are told its pid; dead, it lets them in")
    func lockOfAnotherProcess() async throws {
        try await withScratch { directory in
            do {
                let ledger = try Ledger.open(directory)
                try await ledger.commit("a = 1")
                await #expect(processExitsWith: .exitCode(7)) { [path = directory.string as String, pid = getpid() as Int32] in
                    do { _ = try Ledger.open(FilePath(path)) } catch LedgerError.inUse(_, pid: pid) { exit(7) }
                }
                #expect(try await ledger.numbers == [1])
            }
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.string as String] in
                let ledger = try Ledger.open(FilePath(path))
                try await ledger.commit("a = 2", parent: 1)
                kill(getpid(), SIGKILL)
            }
            #expect(try await Ledger.open(directory).numbers == [2, 1])
        }
    }
}

func integrity(of ledger: Ledger) async throws -> String? {
    try await ledger.pool.read { db in
        let violations = try db.foreignKeyViolations()
        return try violations.next() == nil ? String.fetchOne(db, sql: "PRAGMA integrity_check") : "foreign keys"
    }
}
