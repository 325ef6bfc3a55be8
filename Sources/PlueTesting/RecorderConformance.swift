import Foundation
public import PlueConfig

/// What every `Recorder` must do, as checks that throw: usable from any test framework.
///
/// ```swift
/// @Test(arguments: RecorderConformance.checks)
/// func conforms(_ check: RecorderConformance.Check) async throws {
///     try await check.run(on: MyRecorder())          // a new, empty one for each check
/// }
/// ```
public enum RecorderConformance {
    /// One promise of the protocol.
    public struct Check: Sendable, CustomStringConvertible {
        /// The promise, as a sentence.
        public let name: String
        let body: @Sendable (any Recorder) async throws -> Void

        public var description: String { name }

        /// - Parameter recorder: A new one, with nothing in it.
        /// - Throws: ``Failure`` when the promise is not kept; whatever the recorder throws.
        public func run(on recorder: any Recorder) async throws {
            do { try await body(recorder) } catch let broken as Broken { throw Failure(check: name, found: broken.found) }
        }
    }

    /// A promise that is not kept.
    public struct Failure: Error, CustomStringConvertible {
        /// The promise that was not kept.
        public let check: String
        /// What happened in its stead.
        public let found: String
        public var description: String { "not kept: \(check) (\(found))" }
    }

    /// All of them; each needs a recorder of its own.
    public static let checks: [Check] = [
        Check(name: "a new recorder has no history and no versions") { recorder in
            let page = try await recorder.history(HistoryQuery())
            try expect(page.entries.isEmpty && page.next == nil, "a history: \(page)")
            try expect(try await recorder.documents(of: 1) == nil, "documents of version 1")
        },
        Check(name: "an intent is listed as under way, without a version") { recorder in
            let intent = Sample.intent(1)
            let id = try await recorder.intend(intent)
            let entries = try await recorder.history(HistoryQuery()).entries
            let attempt = try only(entries).attempt
            try expect(attempt.id == id && attempt.outcome == nil && attempt.version == nil, "\(attempt)")
            try expect(attempt.cause == intent.cause && attempt.at == intent.at, "\(attempt)")
            try expect(attempt.digest == intent.digest && attempt.environment == intent.environment, "\(attempt)")
        },
        Check(name: "a committed candidate is version 1, with everything that was said about it") { recorder in
            let intent = Sample.intent(1)
            let id = try await recorder.intend(intent)
            let conclusion = Sample.conclusion(id, .committed)
            let version = try await recorder.conclude(conclusion)
            let expected = Version(
                number: 1, parent: intent.parent, digest: intent.digest, environment: intent.environment,
                cause: intent.cause, at: intent.at, changedKeys: intent.changedKeys, services: conclusion.services)
            try expect(version == expected, "\(String(describing: version))")
            let entry = try only(try await recorder.history(HistoryQuery()).entries)
            try expect(entry.version == expected, "\(String(describing: entry.version))")
            let attempt = Attempt(
                id: id, cause: intent.cause, at: intent.at, duration: conclusion.duration, phase: .record,
                outcome: .committed, digest: intent.digest, environment: intent.environment, version: 1,
                services: conclusion.services)
            try expect(entry.attempt == attempt, "\(entry.attempt)")
        },
        Check(name: "other outcomes are kept and take no number") { recorder in
            let outcomes: [Attempt.Outcome] = [.rejected, .reverted, .degraded, .interrupted]
            for outcome in outcomes {
                let id = try await recorder.intend(Sample.intent(1))
                let version = try await recorder.conclude(Sample.conclusion(id, outcome, problem: "no"))
                try expect(version == nil, "\(outcome) made \(String(describing: version))")
            }
            let entries = try await recorder.history(HistoryQuery()).entries
            try expect(entries.map(\.attempt.outcome) == outcomes.reversed(), "\(entries.map(\.attempt.outcome))")
            try expect(entries.allSatisfy { $0.version == nil && $0.attempt.version == nil }, "a number")
            try expect(entries.allSatisfy { $0.attempt.problem == "no" }, "no problem")
            let id = try await recorder.intend(Sample.intent(2))
            let version = try await recorder.conclude(Sample.conclusion(id, .committed))
            try expect(version?.number == 1, "\(String(describing: version))")
        },
        Check(name: "numbers count from 1 without gaps, ids only rise") { recorder in
            var ids: [Int] = []
            for number in 1...5 {
                try await recorder.reject(Sample.refusal(number, .api))
                let id = try await recorder.intend(Sample.intent(number))
                ids.append(id)
                let version = try await recorder.conclude(Sample.conclusion(id, .committed))
                try expect(version?.number == number, "\(String(describing: version)) instead of \(number)")
            }
            try expect(ids == ids.sorted() && Set(ids).count == ids.count, "\(ids)")
        },
        Check(name: "an attempt is concluded once, and only when it was intended") { recorder in
            let id = try await recorder.intend(Sample.intent(1))
            let version = try await recorder.conclude(Sample.conclusion(id, .committed))
            try await throwsError("a second conclusion") {
                _ = try await recorder.conclude(Sample.conclusion(id, .reverted, problem: "late"))
            }
            try await throwsError("a conclusion of nothing") {
                _ = try await recorder.conclude(Sample.conclusion(id + 1, .committed))
            }
            let entry = try only(try await recorder.history(HistoryQuery()).entries)
            try expect(entry.version == version && entry.attempt.problem == nil, "\(entry)")
        },
        Check(name: "a refused candidate is kept as rejected, diagnostics and all, under an id of its own") { recorder in
            var refusal = Sample.refusal(1, .command)
            refusal.id = 4711
            refusal.diagnostics = Sample.diagnostics
            refusal.services = Sample.services
            try await recorder.reject(refusal)
            let kept = try only(try await recorder.history(HistoryQuery()).entries)
            refusal.id = kept.attempt.id
            refusal.outcome = .rejected
            try expect(kept.attempt == refusal, "\(kept.attempt)")
            try expect(kept.version == nil, "a version")
        },
        Check(name: "what was to be written is unfinished until it is committed or put back") { recorder in
            let writes = [
                DocumentChange(name: "production.ini", before: Array("old".utf8), after: Array("new".utf8)),
                DocumentChange(name: "production.d/1.ini", before: nil, after: []),
                DocumentChange(name: "base.ini", before: [0, 0xFF], after: nil),
            ]
            var intent = Sample.intent(1)
            intent.writes = writes
            let committed = try await recorder.intend(intent)
            try expect(try await recorder.unfinishedWrites().isEmpty, "one that is under way")
            _ = try await recorder.conclude(Sample.conclusion(committed, .committed))
            let reverted = try await recorder.intend(intent)
            _ = try await recorder.conclude(Sample.conclusion(reverted, .reverted, problem: "no"))
            try expect(try await recorder.unfinishedWrites().isEmpty, "one that is committed, or was put back")
            let degraded = try await recorder.intend(intent)
            var conclusion = Sample.conclusion(degraded, .degraded, problem: "no")
            conclusion.isRestored = false
            _ = try await recorder.conclude(conclusion)
            let found = try await recorder.unfinishedWrites()
            try expect(found == [UnfinishedWrite(attempt: degraded, changes: writes)], "\(found)")
            try await recorder.restored(degraded)
            try expect(try await recorder.unfinishedWrites().isEmpty, "one that was put back since")
        },
        Check(name: "a version that follows settles what was unfinished before it") { recorder in
            var intent = Sample.intent(1)
            intent.writes = [DocumentChange(name: "production.ini", before: Array("old".utf8), after: Array("new".utf8))]
            let degraded = try await recorder.intend(intent)
            var conclusion = Sample.conclusion(degraded, .degraded, problem: "no")
            conclusion.isRestored = false
            _ = try await recorder.conclude(conclusion)
            _ = try await recorder.intend(intent)
            let committed = try await recorder.intend(intent)
            _ = try await recorder.conclude(Sample.conclusion(committed, .committed))
            try expect(try await recorder.unfinishedWrites().isEmpty, "one that a version followed")
        },
        Check(name: "environments wait for their own confirmations") { recorder in
            func commit(_ number: Int, _ environment: EnvironmentName, _ confirmation: (deadline: Date, fallback: Int)?) async throws {
                var intent = Sample.intent(number)
                intent.environment = environment
                intent.confirmation = confirmation
                let id = try await recorder.intend(intent)
                _ = try await recorder.conclude(Sample.conclusion(id, .committed))
            }
            try await commit(1, .production, (Sample.date(100), 1))
            try await commit(2, .staging, nil)
            try expect(try await recorder.pendingConfirmation(of: .production)?.version == 1, "another environment took its place")
            try expect(try await recorder.pendingConfirmation(of: .staging) == nil, "it waits in another environment")
        },
        Check(name: "a version waits until it is confirmed or another is committed") { recorder in
            try expect(try await recorder.pendingConfirmation(of: .production) == nil, "something to confirm")
            func commit(_ number: Int, _ confirmation: (deadline: Date, fallback: Int)? = nil) async throws {
                var intent = Sample.intent(number)
                intent.confirmation = confirmation
                let id = try await recorder.intend(intent)
                try expect(try await recorder.pendingConfirmation(of: .production)?.version != number, "one that is not committed waits")
                _ = try await recorder.conclude(Sample.conclusion(id, .committed))
            }
            try await commit(1)
            try await commit(2, (Sample.date(100), 1))
            let waiting = try await recorder.pendingConfirmation(of: .production)
            try expect(waiting == Confirmation(version: 2, fallback: 1, deadline: Sample.date(100)), "\(String(describing: waiting))")
            try await recorder.endConfirmation(of: 2, by: Cause(.api, actor: "unix:0"))
            try expect(try await recorder.pendingConfirmation(of: .production) == nil, "it waits after it was confirmed")
            try await commit(3, (Sample.date(100), 2))
            try await commit(4)
            try expect(try await recorder.pendingConfirmation(of: .production) == nil, "it waits after another took its place")
        },
        Check(name: "documents come back byte for byte and in order, for every version") { recorder in
            var trees: [[StoredDocument]] = []
            for number in 1...40 {
                var documents = (0..<5).map { Sample.document($0, revision: number % 5 == $0 ? number : 0) }
                documents.append(StoredDocument(name: "empty.ini", bytes: []))
                documents.append(StoredDocument(name: "é/ü.ini", bytes: [0, 0xff, 0xfe, UInt8(number)]))
                if number.isMultiple(of: 2) { documents.reverse() }
                trees.append(documents)
                let id = try await recorder.intend(Sample.intent(number, documents: documents))
                _ = try await recorder.conclude(Sample.conclusion(id, .committed))
            }
            for (index, documents) in trees.enumerated() {
                let found = try await recorder.documents(of: index + 1)
                try expect(found == documents, "version \(index + 1) differs")
            }
            try expect(try await recorder.documents(of: 41) == nil, "documents of a version that is not there")
            try expect(try await recorder.documents(of: 0) == nil, "documents of version 0")
        },
        Check(name: "pages follow each other without gap or overlap, newest first") { recorder in
            for number in 1...23 {
                let id = try await recorder.intend(Sample.intent(number))
                _ = try await recorder.conclude(Sample.conclusion(id, number.isMultiple(of: 3) ? .reverted : .committed))
            }
            for includesRejected in [true, false] {
                let all = try await recorder.history(HistoryQuery(limit: 1000, includesRejected: includesRejected))
                try expect(all.next == nil, "more than everything")
                try expect(all.entries.count == (includesRejected ? 23 : 16), "\(all.entries.count) entries")
                let ids = all.entries.map(\.attempt.id)
                try expect(ids == ids.sorted(by: >), "not newest first: \(ids)")
                for limit in [1, 2, 4, 16, 23] {
                    var paged: [Int] = []
                    var before: Int?
                    repeat {
                        let page = try await recorder.history(
                            HistoryQuery(before: before, limit: limit, includesRejected: includesRejected))
                        try expect((1...limit).contains(page.entries.count), "\(page.entries.count) entries of \(limit)")
                        paged += page.entries.map(\.attempt.id)
                        before = page.next
                    } while before != nil && paged.count <= ids.count
                    try expect(paged == ids, "by \(limit): \(paged)")
                }
            }
        },
        Check(name: "a limit outside 1 to 1000 is taken as the nearest inside") { recorder in
            for number in 1...3 { try await recorder.reject(Sample.refusal(number, .api)) }
            for (limit, count) in [(0, 1), (-5, 1), (Int.min, 1), (5_000, 3), (Int.max, 3)] {
                let page = try await recorder.history(HistoryQuery(limit: limit))
                try expect(page.entries.count == count, "\(page.entries.count) entries for \(limit)")
            }
        },
        Check(name: "one version is found by its number, whatever else the query says") { recorder in
            for number in 1...3 {
                let id = try await recorder.intend(Sample.intent(number))
                _ = try await recorder.conclude(Sample.conclusion(id, .committed))
            }
            let page = try await recorder.history(HistoryQuery(before: 1, includesRejected: false, version: 2))
            try expect(try only(page.entries).version?.number == 2 && page.next == nil, "\(page)")
            let none = try await recorder.history(HistoryQuery(version: 4))
            try expect(none.entries.isEmpty && none.next == nil, "\(none)")
        },
        Check(name: "the same refusal met again in the files adds nothing; asked for again it does") { recorder in
            for minute in 0..<50 {
                var refusal = Sample.refusal(1, .file)
                refusal.at += Double(minute) * 60
                try await recorder.reject(refusal)
            }
            var entries = try await recorder.history(HistoryQuery()).entries
            try expect(try only(entries).attempt.at == Sample.refusal(1, .file).at, "not the first time's date")
            try await recorder.reject(Sample.refusal(2, .file))
            try await recorder.reject(Sample.refusal(1, .file))
            try await recorder.reject(Sample.refusal(1, .api))
            try await recorder.reject(Sample.refusal(1, .api))
            entries = try await recorder.history(HistoryQuery()).entries
            try expect(entries.count == 5, "\(entries.count) entries")
        },
        Check(name: "a refusal of any size is kept in bounded space") { recorder in
            var refusal = Sample.refusal(1, .api)
            let excerpt = String(repeating: "x", count: 1_000_000)
            refusal.problem = excerpt
            refusal.diagnostics = (1...500).map { line in
                Diagnostic(
                    "unknown-key", at: Location(file: "a.ini", line: line, column: 1, endLine: line, endColumn: 2, excerpt: excerpt),
                    "unknown key", found: excerpt)
            }
            try await recorder.reject(refusal)
            let kept = try only(try await recorder.history(HistoryQuery()).entries).attempt
            try expect((2...101).contains(kept.diagnostics.count), "\(kept.diagnostics.count) diagnostics")
            let more = "\(500 - kept.diagnostics.count + 1) more"
            try expect(kept.diagnostics.last?.message.contains(more) == true, "\(kept.diagnostics.last?.message ?? "")")
            let size = kept.diagnostics.reduce(kept.problem?.count ?? 0) { sum, diagnostic in
                sum + (diagnostic.found?.count ?? 0) + (diagnostic.location?.excerpt?.count ?? 0)
            }
            try expect(size < 100_000, "\(size) characters")
        },
    ]

    struct Broken: Error { let found: String }

    static func expect(_ holds: Bool, _ found: @autoclosure () -> String) throws {
        if !holds { throw Broken(found: found()) }
    }

    static func only<Element>(_ elements: [Element]) throws -> Element {
        guard let first = elements.first, elements.count == 1 else { throw Broken(found: "\(elements.count) instead of 1") }
        return first
    }

    static func throwsError(_ what: String, _ body: () async throws -> Void) async throws {
        do { try await body() } catch { return }
        throw Broken(found: "\(what) did not throw")
    }
}

/// Candidates as they come, made up.
private enum Sample {
    /// A date whose double has bits below the microsecond: it must come back as it went in.
    static func date(_ number: Int) -> Date {
        Date(timeIntervalSinceReferenceDate: 800_000_000.123_456_789 + Double(number))
    }

    static func document(_ index: Int, revision: Int) -> StoredDocument {
        let lines = (0..<40).map { "key_\($0) = \($0 == revision ? "changed \(revision)" : "value")" }
        return StoredDocument(name: "production.d/\(index).ini", bytes: Array(("[part\(index)]\n" + lines.joined(separator: "\n")).utf8))
    }

    static func intent(_ number: Int, documents: [StoredDocument]? = nil) -> Intent {
        let documents = documents ?? [document(0, revision: number)]
        return Intent(
            cause: Cause(.api, actor: "token:ci", reason: "change “\(number)”"), at: date(number), environment: .production,
            digest: DocumentDigest.of(documents, in: .production), parent: number > 1 ? number - 1 : nil,
            documents: documents,
            changedKeys: [SettingKey(section: "server.tls", name: "port"), SettingKey(section: "a", name: "b")])
    }

    static func conclusion(_ id: Int, _ outcome: Attempt.Outcome, problem: String? = nil) -> Conclusion {
        Conclusion(
            id: id, outcome: outcome, phase: outcome == .committed ? .record : .verify,
            duration: .microseconds(12_345), problem: problem, services: services)
    }

    static func refusal(_ number: Int, _ trigger: Cause.Trigger) -> Attempt {
        Attempt(
            id: 0, cause: Cause(trigger, actor: "file:1000"), at: date(number), duration: .milliseconds(3), phase: .validate,
            outcome: .rejected, problem: "server.port is \(number)", digest: "sha256:\(number)", environment: .staging)
    }

    static let services = [
        ServiceResult(name: "http", action: .swap, outcome: .applied, duration: .milliseconds(7)),
        ServiceResult(name: "database", action: .live, outcome: .failed, problem: "login \"refused\"\n", duration: .nanoseconds(1)),
    ]

    static let diagnostics = [
        Diagnostic(
            "range", key: SettingKey(section: "server", name: "port"),
            at: Location(file: "config/production.ini", line: 4, column: 8, endLine: 4, endColumn: 13, excerpt: "port = 99999"),
            "server.port is 99999, but must be between 1 and 65535", label: "expected 1...65535", expected: "1...65535",
            found: "99999", hint: "did you mean 9999?",
            related: [
                .init("overrides 8080 from", at: Location(file: "base.ini", line: 3, column: 8, endLine: 3, endColumn: 12)),
                .init("nowhere", at: nil),
            ]),
        Diagnostic("empty-section", severity: .warning, key: SettingKey(section: "a.b", name: ""), "nothing in [a.b] “…”"),
        Diagnostic("odd", key: SettingKey(section: "", name: "bare"), "a key without a section"),
    ]
}
