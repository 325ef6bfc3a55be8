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

    /// What was intended to be written and is not known to be committed or put back, oldest first: a process that starts takes
    /// it back, and then says so.
    func unfinishedWrites() async throws -> [UnfinishedWrite]

    /// An attempt's documents are as they were before it.
    func restored(_ attempt: Int) async throws

    /// The version that waits to be confirmed; `nil` when none does.
    func pendingConfirmation() async throws -> Confirmation?

    /// A version waits no longer: it was confirmed, or taken back.
    /// - Parameter cause: Who decided.
    func endConfirmation(of version: Int, by cause: Cause) async throws
}

/// One setting's way from old to new as it is recorded: a secret by its fingerprint, or not at all.
public struct ChangedValue: Hashable, Sendable {
    public var key: SettingKey
    /// `nil` when it was not set.
    public var before: String?
    public var after: String?

    public init(key: SettingKey, before: String?, after: String?) {
        self.key = key
        self.before = before
        self.after = after
    }
}

/// What an attempt that did not come to its end may have written.
public struct UnfinishedWrite: Hashable, Sendable {
    public var attempt: Int
    public var changes: [DocumentChange]

    public init(attempt: Int, changes: [DocumentChange]) {
        self.attempt = attempt
        self.changes = changes
    }
}

/// A version that is taken back unless somebody confirms it in time.
public struct Confirmation: Hashable, Sendable {
    public var version: Int
    /// The version that comes back.
    public var fallback: Int
    public var deadline: Date

    public init(version: Int, fallback: Int, deadline: Date) {
        self.version = version
        self.fallback = fallback
        self.deadline = deadline
    }
}

/// What is about to be activated.
public struct Intent: Sendable {
    public var cause: Cause
    public var at: Date
    public var environment: EnvironmentName
    public var digest: String
    /// The version running now; `nil` at the first start.
    public var parent: Int?
    public var documents: [StoredDocument]
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
    public var outcome: Attempt.Outcome
    public var phase: Attempt.Phase
    public var duration: Duration
    public var problem: String?
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
    /// Only this version; ``before`` and ``includesRejected`` then say nothing.
    public var version: Int?

    public init(before: Int? = nil, limit: Int = 50, includesRejected: Bool = true, version: Int? = nil) {
        self.before = before
        self.limit = limit
        self.includesRejected = includesRejected
        self.version = version
    }
}

/// A page of the history, newest first.
public struct HistoryPage: Sendable {
    public var entries: [Entry]
    /// What to ask for as ``HistoryQuery/before`` to go on; `nil` at the end.
    public var next: Int?

    /// A candidate and, when it was committed, the version it became.
    public struct Entry: Sendable {
        public var attempt: Attempt
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
