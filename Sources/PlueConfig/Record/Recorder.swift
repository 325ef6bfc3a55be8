public import Foundation

/// Keeps what was run and what was refused. ``MemoryRecorder`` keeps it for the process; `Ledger` (PlueLedger) for good.
///
/// One writer: the committer calls ``intend(_:)`` and ``conclude(_:)`` in turn, never twice at once.
public protocol Recorder: Sendable {
    /// Writes down what is about to be activated, before anything is.
    /// - Returns: The attempt's id.
    /// - Throws: When it cannot be written durably; then nothing may be activated.
    func intend(_ intent: Intent) async throws -> Int

    /// Writes the outcome of an intent. For a committed one **this is the commit point**: the version exists when this returns.
    /// - Returns: The new version; `nil` when the outcome is not `committed`.
    func conclude(_ conclusion: Conclusion) async throws -> Version?

    /// Keeps a candidate that was refused before any intent was written.
    func reject(_ attempt: Attempt) async throws

    /// What is kept, newest first.
    func history(_ query: HistoryQuery) async throws -> HistoryPage

    /// The documents of a kept version, as they were written; `nil` when the version is not kept.
    func documents(of version: Int) async throws -> [StoredDocument]?

    /// What was intended to be written since the newest version and is not known to be put back, oldest first: a process that
    /// starts takes it back, and then says so. What a version followed is settled by that.
    func unfinishedWrites() async throws -> [UnfinishedWrite]

    /// An attempt's documents are as they were before it.
    func restored(_ attempt: Int) async throws

    /// The version of an environment that waits to be confirmed; `nil` when none does.
    func pendingConfirmation(of environment: EnvironmentName) async throws -> Confirmation?

    /// A version waits no longer: it was confirmed, or taken back.
    /// - Parameter cause: Who decided.
    func endConfirmation(of version: Int, by cause: Cause) async throws
}

extension Recorder {
    /// The version of an environment that ran last; `nil` when none did.
    func newestVersion(of environment: EnvironmentName) async throws -> Version? {
        try await history(HistoryQuery(limit: 1, includesRejected: false, environment: environment)).entries.first?.version
    }
}

/// One setting's way from old to new as it is recorded: a secret by its fingerprint, or not at all.
public struct ChangedValue: Hashable, Sendable {
    /// The setting.
    public var key: SettingKey
    /// `nil` when it was not set.
    public var before: String?
    /// `nil` when it is not set any more.
    public var after: String?

    public init(key: SettingKey, before: String?, after: String?) {
        self.key = key
        self.before = before
        self.after = after
    }
}

/// What an attempt that did not come to its end may have written.
public struct UnfinishedWrite: Hashable, Sendable {
    /// The candidate's id.
    public var attempt: Int
    /// What it may have written.
    public var changes: [DocumentChange]

    public init(attempt: Int, changes: [DocumentChange]) {
        self.attempt = attempt
        self.changes = changes
    }
}

/// A version that is taken back unless somebody confirms it in time.
public struct Confirmation: Hashable, Sendable {
    /// The version that waits.
    public var version: Int
    /// The version that comes back.
    public var fallback: Int
    /// When it is taken back.
    public var deadline: Date

    public init(version: Int, fallback: Int, deadline: Date) {
        self.version = version
        self.fallback = fallback
        self.deadline = deadline
    }
}

/// What is about to be activated.
public struct Intent: Sendable {
    /// Who asks, through what, and why.
    public var cause: Cause
    /// When it was asked for.
    public var at: Date
    /// Whose profile the documents are.
    public var environment: EnvironmentName
    /// Of the documents, `sha256:…`.
    public var digest: String
    /// The version running now; `nil` at the first start.
    public var parent: Int?
    /// The documents, as they are written.
    public var documents: [StoredDocument]
    /// Settings whose values differ from the version before.
    public var changedKeys: [SettingKey]
    /// What the changed settings held and are to hold, as far as it may be told; for the audit log.
    public var values: [ChangedValue] = []
    /// The documents that the transaction writes; none when it follows what was written by others.
    public var writes: [DocumentChange]
    /// When the version is taken back unless it is confirmed, and to which; `nil` when it stays.
    public var confirmation: (deadline: Date, fallback: Int)?

    public init(
        cause: Cause, at: Date, environment: EnvironmentName, digest: String, parent: Int?, documents: [StoredDocument],
        changedKeys: [SettingKey], writes: [DocumentChange] = [], confirmation: (deadline: Date, fallback: Int)? = nil
    ) {
        self.cause = cause
        self.at = at
        self.environment = environment
        self.digest = digest
        self.parent = parent
        self.documents = documents
        self.changedKeys = changedKeys
        self.writes = writes
        self.confirmation = confirmation
    }
}

/// How an intent ended.
public struct Conclusion: Sendable {
    /// What ``Recorder/intend(_:)`` returned.
    public var id: Int
    /// What became of the candidate.
    public var outcome: Attempt.Outcome
    /// The stage that it came to.
    public var phase: Attempt.Phase
    /// From the first reading to the end.
    public var duration: Duration
    /// Why it was refused, in one sentence without a secret; `nil` when it was not.
    public var problem: String?
    /// What became of each service that took part.
    public var services: [ServiceResult]
    /// Whether the documents of one that is not committed are as they were; if not, the next start puts them back.
    public var isRestored: Bool

    public init(
        id: Int, outcome: Attempt.Outcome, phase: Attempt.Phase, duration: Duration, problem: String? = nil,
        services: [ServiceResult] = [], isRestored: Bool = true
    ) {
        self.id = id
        self.outcome = outcome
        self.phase = phase
        self.duration = duration
        self.problem = problem
        self.services = services
        self.isRestored = isRestored
    }
}

/// A document of a version: its name inside the configuration directory and its bytes, as they were written.
public struct StoredDocument: Hashable, Sendable {
    /// `base.ini`, `production.d/10-limits.ini`.
    public var name: String
    /// The document's text, as it is written.
    public var bytes: [UInt8]

    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }
}

/// Which part of the history is wanted.
public struct HistoryQuery: Sendable {
    /// Only entries with an attempt id below this one; `nil` starts at the newest.
    public var before: Int?
    /// At most so many; 1 to 1000.
    public var limit: Int
    /// Whether refused candidates are listed between the versions.
    public var includesRejected: Bool
    /// Only of this environment; `nil` for all.
    public var environment: EnvironmentName?
    /// Only this version; ``before`` and ``includesRejected`` then say nothing.
    public var version: Int?

    public init(
        before: Int? = nil, limit: Int = 50, includesRejected: Bool = true, environment: EnvironmentName? = nil, version: Int? = nil
    ) {
        self.environment = environment
        self.before = before
        self.limit = limit
        self.includesRejected = includesRejected
        self.version = version
    }
}

/// A page of the history, newest first.
public struct HistoryPage: Sendable {
    /// Newest first.
    public var entries: [Entry]
    /// What to ask for as ``HistoryQuery/before`` to go on; `nil` at the end.
    public var next: Int?

    /// A candidate and, when it was committed, the version it became.
    public struct Entry: Sendable {
        /// The candidate, and what became of it.
        public var attempt: Attempt
        /// The version that it became; `nil` when it was refused.
        public var version: Version?

        public init(attempt: Attempt, version: Version?) {
            self.attempt = attempt
            self.version = version
        }
    }

    public init(entries: [Entry], next: Int?) {
        self.entries = entries
        self.next = next
    }
}
