import Foundation
import Logging
import PlueConfig
import PlueLedger
import SystemPackage
import TestGround

/// A directory of its own for one test, gone afterwards; the state directory inside it does not exist yet.
func withScratch<Value>(_ body: (FilePath) async throws -> Value) async throws -> Value {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("plue-ledger-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: root) }
    return try await body(FilePath(root.path).appending("state"))
}

extension Ledger {
    static func open(_ directory: FilePath, retention: Retention = .standard) throws(LedgerError) -> Ledger {
        try Ledger(directory: directory, retention: retention, logger: quiet)
    }

    /// One version of one document, at a day counted from some first one.
    @discardableResult
    func commit(_ text: String, day: Double = 0, name: String = "base.ini", parent: Int? = nil) async throws -> Version? {
        let id = try await intend(.some(text, day: day, name: name, parent: parent))
        return try await conclude(Conclusion(id: id, outcome: .committed, phase: .record, duration: .milliseconds(1)))
    }
}

extension Intent {
    static func some(_ text: String, day: Double = 0, name: String = "base.ini", parent: Int? = nil) -> Intent {
        let documents = [StoredDocument(name: name, bytes: Array(text.utf8))]
        return Intent(
            cause: Cause(.file, actor: "file:0"), at: .day(day), environment: .production,
            digest: DocumentDigest.of(documents, in: .production), parent: parent, documents: documents, changedKeys: [])
    }
}

extension Attempt {
    static func refusal(_ problem: String, day: Double = 0, _ trigger: Cause.Trigger = .api) -> Attempt {
        Attempt(
            id: 0, cause: Cause(trigger, actor: "token:ci"), at: .day(day), phase: .validate, outcome: .rejected,
            problem: problem, digest: "sha256:0", environment: .production)
    }
}

extension Date {
    static func day(_ number: Double) -> Date { Date(timeIntervalSinceReferenceDate: 800_000_000 + number * 86_400) }
}

extension Recorder {
    var numbers: [Int] {
        get async throws {
            try await history(HistoryQuery(limit: 1_000, includesRejected: false)).entries.compactMap(\.version?.number)
        }
    }
    var outcomes: [Attempt.Outcome?] {
        get async throws { try await history(HistoryQuery(limit: 1_000)).entries.map(\.attempt.outcome) }
    }
}

func mode(of path: FilePath) -> Int? {
    (try? FileManager.default.attributesOfItem(atPath: path.string))?[.posixPermissions] as? Int
}
