import Foundation
import GRDB
import Logging
import PlueAudit
import PlueConfig
import PlueLedger
import SystemPackage

/// A long history of a tree of 1 000 keys in ten documents: what a version costs, and what a long history costs those who ask it.
func benchmarkHistory(versions: Int) async throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "plue-bench-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }

    let bare = try bareInserts(at: root + "/bare.db", count: 2000)
    let ledger = try Ledger(
        directory: FilePath(root + "/state"), retention: .keep(versions: versions + 1000, for: .seconds(400 * 86_400)), logger: logger)
    var tree = (0..<10).map { group in document(group, at: nil, 0) }
    var rate = 0.0
    let start = now()
    for number in 1...versions {
        let group = number % 10
        let before = tree[group].bytes
        tree[group] = document(group, at: number / 10 % 100, number)
        let key = SettingKey(section: "group\(group)", name: "key\(number / 10 % 100)")
        var intent = Intent(
            cause: Cause(.api, actor: "unix:0", reason: "the change number \(number)"), at: Date(), environment: .production,
            digest: DocumentDigest.of(tree, in: .production), parent: number > 1 ? number - 1 : nil, documents: tree, changedKeys: [key],
            writes: [DocumentChange(name: tree[group].name, before: before, after: tree[group].bytes)])
        intent.values = [ChangedValue(key: key, before: "0", after: String(number))]
        let id = try await ledger.intend(intent)
        _ = try await ledger.conclude(Conclusion(id: id, outcome: .committed, phase: .record, duration: .milliseconds(5)))
        if number == min(2000, versions) { rate = Double(number) / (Double(now() - start) / 1e9) }
    }
    try await ledger.close()

    var table = Table("history of \(versions) versions, 1 000 keys", "figure", "beside", "ratio", "target")
    table.add("durable commits/s (2 transactions each), bare inserts/s", rate.short, bare.short, (rate / bare).ratio, "0.33x")
    let size = (try FileManager.default.attributesOfItem(atPath: root + "/state/plue.db")[.size] as? Int ?? 0)
    table.add("database MB", (Double(size) / 1e6).short, "", "", "200")

    let reader = try Ledger.reading(FilePath(root + "/state"))
    let page = try await milliseconds(31) { use(try await reader.history(HistoryQuery(limit: 50))) }
    table.add("first page of the history, ms", page.short, "", "", "50")
    let documents = try await milliseconds(31) { use(try await reader.documents(of: Int.random(in: 1...versions))) }
    table.add("documents of any version, ms", documents.short, "", "", "")

    let rollback = try await rollbacks(root)
    table.add("rollback to any version, ms", rollback.short, "", "", "50")

    guard let key = VerifierKey(try String(contentsOfFile: root + "/state/audit.pub", encoding: .utf8)) else { return }
    let kept = Checkpoint.all(in: try String(contentsOfFile: root + "/state/audit.checkpoints", encoding: .utf8))
    let verifying = now()
    let report = AuditVerifier(key: key, kept: kept).verify(database: root + "/state/plue.db")
    let seconds = Double(now() - verifying) / 1e9
    let rows = try await DatabasePool(path: root + "/state/plue.db").read { db in
        try ["audit_entry", "audit_checkpoint", "attempt", "document"].reduce(0) {
            $0 + (try Int.fetchOne(db, sql: "SELECT count(*) FROM \($1)") ?? 0)
        }
    }
    table.add("audit verify, rows/s (\(report.verdict))", (Double(rows) / seconds).short, "", "", "100000")
    table.add("audit verify, entries/s", (Double(report.entries) / seconds).short, "", "", "")
    table.print()
}

/// A row of the same size, one durable transaction each: what the disk allows.
private func bareInserts(at path: String, count: Int) throws -> Double {
    let pool = try DatabasePool(path: path)
    try pool.writeWithoutTransaction { db in
        try db.execute(sql: "PRAGMA synchronous = FULL; CREATE TABLE row (id INTEGER PRIMARY KEY, bytes BLOB)")
    }
    let bytes = Data(repeating: 7, count: 500)
    let start = now()
    for _ in 0..<count { try pool.write { db in try db.execute(sql: "INSERT INTO row (bytes) VALUES (?)", arguments: [bytes]) } }
    return Double(count) / (Double(now() - start) / 1e9)
}

/// The whole way: read, check, write ten files, record.
private func rollbacks(_ root: String) async throws -> Double {
    var options = ConfigManager<Groups>.Options()
    let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
    let ledger = try Ledger(
        directory: FilePath(root + "/state"), retention: .keep(versions: 10_000_000, for: .seconds(400 * 86_400)), logger: logger)
    options.recorder = ledger
    options.logger = logger
    options.followsHangup = false
    for document in try await ledger.documents(of: 1) ?? [] {
        let file = URL(filePath: root + "/config/" + document.name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(document.bytes).write(to: file)
    }
    let manager = try await ConfigManager(
        Groups.self, source: DirectorySource(FilePath(root + "/config"), variables: [:]), environment: .production, options: options)
    try await manager.start()
    let versions = manager.snapshot.version
    let time = try await milliseconds(21) { try await manager.rollback(to: Int.random(in: 1..<versions)) }
    try await ledger.close()
    return time
}

/// Ten sections of a hundred keys each.
private struct Groups: Settings {
    var group0: [String: Int] = [:], group1: [String: Int] = [:], group2: [String: Int] = [:], group3: [String: Int] = [:]
    var group4: [String: Int] = [:], group5: [String: Int] = [:], group6: [String: Int] = [:], group7: [String: Int] = [:]
    var group8: [String: Int] = [:], group9: [String: Int] = [:]

    static let schema = Schema<Self> {
        Section("group0", \.group0)
        Section("group1", \.group1)
        Section("group2", \.group2)
        Section("group3", \.group3)
        Section("group4", \.group4)
        Section("group5", \.group5)
        Section("group6", \.group6)
        Section("group7", \.group7)
        Section("group8", \.group8)
        Section("group9", \.group9)
    }
}

private func document(_ group: Int, at key: Int?, _ number: Int) -> StoredDocument {
    let lines = (0..<100).map { "key\($0) = \($0 == key ? number : 0)" }
    return StoredDocument(
        name: group == 0 ? "production.ini" : "production.d/\(group).ini",
        bytes: Array("[group\(group)]\n\(lines.joined(separator: "\n"))\n".utf8))
}

private func milliseconds(_ runs: Int, _ body: () async throws -> Void) async throws -> Double {
    var times: [Double] = []
    for _ in 0..<runs {
        let start = now()
        try await body()
        times.append(Double(now() - start) / 1e6)
    }
    return median(times)
}
