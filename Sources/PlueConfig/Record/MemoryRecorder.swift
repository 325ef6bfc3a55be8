public import Foundation
import Synchronization

/// Keeps the history for as long as the process lives: the in-memory twin of `Ledger`, for tests and for programs that embed
/// Plue without a state directory.
///
/// It answers every call as `Ledger` does (the conformance suite in PlueTesting runs against both), except that nothing
/// outlives the process. By default it keeps 100 versions, whatever their age.
public final class MemoryRecorder: Recorder {
    private let state: Mutex<State>

    /// Makes an empty history that is pruned by `retention`.
    public init(retention: Retention = .keep(versions: 100, for: .zero, refusals: 1_000)) {
        state = Mutex(State(retention: retention))
    }

    /// Lists the candidate as under way; cannot fail.
    public func intend(_ intent: Intent) async throws -> Int {
        state.withLock { $0.intend(intent) }
    }

    /// - Throws: ``NotUnderWay`` when there is no such attempt, or it has its outcome already.
    public func conclude(_ conclusion: Conclusion) async throws -> Version? {
        try state.withLock { try $0.conclude(conclusion) }
    }

    /// Keeps a refused candidate, under an id of its own; cannot fail.
    public func reject(_ attempt: Attempt) async throws {
        state.withLock { $0.reject(attempt) }
    }

    /// What is kept, newest first; cannot fail.
    public func history(_ query: HistoryQuery) async throws -> HistoryPage {
        state.withLock { $0.history(query) }
    }

    /// The documents of a kept version; `nil` when the version is not kept. Cannot fail.
    public func documents(of version: Int) async throws -> [StoredDocument]? {
        state.withLock { state in state.entries.last { $0.version?.number == version }?.intent?.documents }
    }

    /// What this process left unfinished; another one's is gone with it. Cannot fail.
    public func unfinishedWrites() async throws -> [UnfinishedWrite] {
        state.withLock { state in
            state.sinceNewestVersion.filter { $0.isUnrestored && $0.attempt.outcome != nil }.map {
                UnfinishedWrite(attempt: $0.attempt.id, changes: $0.intent?.writes ?? [])
            }
        }
    }

    /// Cannot fail.
    public func restored(_ attempt: Int) async throws {
        state.withLock { state in
            for index in state.entries.indices where state.entries[index].attempt.id == attempt {
                state.entries[index].isUnrestored = false
            }
        }
    }

    /// Cannot fail.
    public func pendingConfirmation(of environment: EnvironmentName) async throws -> Confirmation? {
        state.withLock { $0.confirmations[environment] }
    }

    /// Cannot fail.
    public func endConfirmation(of version: Int, by cause: Cause) async throws {
        state.withLock { state in state.confirmations = state.confirmations.filter { $0.value.version != version } }
    }

    /// Applies the retention now; ages are measured against `now`.
    public func prune(at now: Date) {
        state.withLock { $0.prune(at: now) }
    }

    /// A conclusion names an attempt that is not under way.
    public struct NotUnderWay: Error, CustomStringConvertible {
        /// The id that was named.
        public let id: Int
        public var description: String { "attempt \(id) is not under way: it was never intended, or has its outcome already" }
    }
}

/// By attempt id, oldest first, as they came in.
private struct State {
    struct Entry {
        var attempt: Attempt
        var intent: Intent?
        var version: Version?
        var isUnrestored = false
    }

    let retention: Retention
    var entries: [Entry] = []
    var lastID = 0
    var lastNumber = 0
    var untilPruned = Retention.interval
    var confirmations: [EnvironmentName: Confirmation] = [:]

    var sinceNewestVersion: ArraySlice<Entry> { entries[(entries.lastIndex { $0.version != nil }.map { $0 + 1 } ?? 0)...] }

    mutating func intend(_ intent: Intent) -> Int {
        lastID += 1
        let attempt = Attempt(
            id: lastID, cause: intent.cause, at: intent.at, phase: .commit, outcome: nil, digest: intent.digest,
            environment: intent.environment)
        entries.append(Entry(attempt: attempt, intent: intent, isUnrestored: !intent.writes.isEmpty))
        return lastID
    }

    mutating func conclude(_ conclusion: Conclusion) throws -> Version? {
        guard let index = entries.lastIndex(where: { $0.attempt.id == conclusion.id }), let intent = entries[index].intent,
            entries[index].attempt.outcome == nil
        else { throw MemoryRecorder.NotUnderWay(id: conclusion.id) }
        entries[index].attempt.outcome = conclusion.outcome
        entries[index].attempt.phase = conclusion.phase
        entries[index].attempt.duration = conclusion.duration
        entries[index].attempt.problem = conclusion.problem
        entries[index].attempt.services = conclusion.services
        var version: Version?
        if conclusion.isRestored || conclusion.outcome == .committed { entries[index].isUnrestored = false }
        if conclusion.outcome == .committed {
            lastNumber += 1
            confirmations[intent.environment] = intent.confirmation.map {
                Confirmation(version: lastNumber, fallback: $0.fallback, deadline: $0.deadline)
            }
            entries[index].attempt.version = lastNumber
            version = Version(
                number: lastNumber, parent: intent.parent, digest: intent.digest, environment: intent.environment,
                cause: intent.cause, at: intent.at, changedKeys: intent.changedKeys, services: conclusion.services)
            entries[index].version = version
        }
        recordedOutcome(at: intent.at)
        return version
    }

    mutating func reject(_ attempt: Attempt) {
        let refused = attempt.refused(as: lastID + 1)
        let isKnown = entries.last.map { refused.repeats($0.attempt) } ?? false
        if !isKnown {
            lastID += 1
            entries.append(Entry(attempt: refused))
        }
        recordedOutcome(at: attempt.at)
    }

    func history(_ query: HistoryQuery) -> HistoryPage {
        if let number = query.version {
            let found = entries.filter { $0.version?.number == number }
            return HistoryPage(entries: found.map { .init(attempt: $0.attempt, version: $0.version) }, next: nil)
        }
        let limit = query.pageSize
        let wanted = entries.reversed().lazy.filter { entry in
            entry.attempt.id < query.before ?? .max && (query.includesRejected || entry.version != nil)
                && (query.environment == nil || entry.attempt.environment == query.environment)
        }
        let page = Array(wanted.prefix(limit + 1)).map { HistoryPage.Entry(attempt: $0.attempt, version: $0.version) }
        return HistoryPage(page: page, limit: limit)
    }

    mutating func recordedOutcome(at now: Date) {
        untilPruned -= 1
        if untilPruned <= 0 { prune(at: now) }
    }

    mutating func prune(at now: Date) {
        untilPruned = Retention.interval
        let cutoff = retention.cutoff(at: now)
        let versions = entries.filter { $0.version != nil }
        let fallback = confirmations.values.map(\.fallback).min() ?? .max
        let goingVersions = versions.dropLast(retention.versions).prefix { $0.attempt.at < cutoff && $0.version?.number ?? 0 < fallback }
        let refusals = entries.filter { $0.version == nil && $0.attempt.outcome != nil }
        let goingRefusals = refusals.dropLast(retention.refusals) + refusals.filter { $0.attempt.at < cutoff }
        let going = Set(goingVersions.map(\.attempt.id) + goingRefusals.map(\.attempt.id))
        entries.removeAll { going.contains($0.attempt.id) }
    }
}

extension HistoryQuery {
    /// The limit inside its bounds.
    package var pageSize: Int { min(max(limit, 1), 1_000) }
}

extension HistoryPage {
    /// From up to `limit + 1` entries: the one too many only tells that there are more.
    package init(page: [Entry], limit: Int) {
        let entries = Array(page.prefix(limit))
        self.init(entries: entries, next: page.count > limit ? entries.last?.attempt.id : nil)
    }
}
