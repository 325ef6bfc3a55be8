public import Foundation
import GRDB
public import Logging
public import PlueConfig
import Synchronization
public import SystemPackage

/// The history for good: an SQLite database in the state directory.
///
/// **Commit point.** ``intend(_:)`` returns when the candidate, its documents included, is on disk; ``conclude(_:)`` with
/// `committed` writes the outcome and the version's number in one transaction, the last write there is. A process that dies
/// before it leaves an attempt without an outcome, which the next ``init(directory:retention:logger:)`` records as
/// `interrupted` and lists in ``recovered``; one that dies after it has made a version. There is no third case.
///
/// **One writer.** A ledger holds `plue.lock` from its first breath to ``close()``. Any number of processes read beside it
/// (``reading(_:)``).
///
/// **Files.** `plue.db`, `plue.db-wal`, `plue.db-shm` and `plue.lock`, all 0600, in a directory made 0700. The log files
/// stay when the ledger is closed, so that readers need not create them.
///
/// ```swift
/// let ledger = try Ledger(directory: "/var/lib/plue", logger: logger)
/// let id = try await ledger.intend(intent)          // cannot be written: activate nothing
/// let version = try await ledger.conclude(Conclusion(id: id, outcome: .committed, phase: .record, duration: duration))
/// ```
public final class Ledger: Recorder {
    /// What a process that died had under way, oldest first; each has the outcome `interrupted` now.
    ///
    /// What they wanted to run is in ``documents(ofAttempt:)``.
    public let recovered: [Attempt]

    /// Reads this ledger, for those who should not write it.
    public let reader: LedgerReader

    static let busyTimeout: TimeInterval = 5

    private let path: FilePath
    let pool: DatabasePool
    private let lock: WriterLock
    private let retention: Mutex<Retention>
    private let audit: AuditLog
    private let logger: Logger
    private let untilPruned = Atomic(Retention.interval)

    /// Opens the ledger in `directory` for writing; makes both when they are not there.
    ///
    /// Blocks while it opens files, migrates and recovers: a step of starting up, not of serving.
    /// - Throws: `inUse` when another process writes there; `foreignOwner`, `writableByOthers` and `notAFile` when somebody
    ///   else could have written there; `tampered` when somebody else did; `auditKey` when the log cannot be signed any more;
    ///   `notALedger`, `newer` and `corrupt` when the file is not one this Plue can go on with; `diskFull`, `readOnly`, `notPermitted`, `locked`, `inputOutput`. The file is left as it was.
    public convenience init(
        directory: FilePath, retention: Retention = .standard, logger: Logger
    ) throws(LedgerError) {
        try self.init(directory: directory, retention: retention, logger: logger, busyTimeout: Self.busyTimeout)
    }

    init(
        directory: FilePath, retention: Retention, logger: Logger, busyTimeout: TimeInterval
    ) throws(LedgerError) {
        let state = try StateDirectory.prepared(at: directory)
        // Before anything else is touched.
        let lock = try WriterLock(at: state.lock, in: state.path)
        try state.prepareDatabase()
        let path = state.database
        do {
            let pool = try Connection.writer(at: path, busyTimeout: busyTimeout)
            // Before the first statement that writes: what somebody else left in the schema would run with it.
            let format = try pool.writeWithoutTransaction { db in try Connection.checkSchema(of: db, at: path) }
            try DatabaseMigrator.ledger.migrate(pool)
            let audit: AuditLog
            (audit, recovered) = try pool.write { db in
                let audit = try AuditLog(continuing: path, in: db, wasMigrated: format < Connection.firstAudited, logger: logger)
                let transaction = LedgerTransaction(db: db, path: path, audit: audit)
                try transaction.beginAudit()
                try audit.open(in: db)
                return (audit, try transaction.recover())
            }
            audit.committed()
            self.audit = audit
            self.pool = pool
        } catch {
            throw LedgerError(error, at: path)
        }
        self.path = path
        self.lock = lock
        self.retention = Mutex(retention)
        self.logger = logger
        reader = LedgerReader(path: path, database: pool)
        for attempt in recovered {
            logger.warning("a candidate was interrupted by the end of the process", metadata: ["attempt": "\(attempt.id)"])
        }
    }

    deinit { try? Self.shut(pool, lock, audit, path) }

    /// Empties the log into the database, closes it and gives up the right to write.
    ///
    /// A ledger that is simply dropped does the same, blocking the thread that dropped it. Closing twice does nothing.
    /// - Throws: ``LedgerError`` when the log could not be emptied; nothing is lost then, the next start reads it.
    public func close() async throws {
        let result: Result<Void, any Error> = await withCheckedContinuation { continuation in
            // Closing waits for the readers and syncs the disk: not on a thread of the cooperative pool.
            DispatchQueue.global().async { [pool, lock, audit, path] in
                continuation.resume(returning: Result { try Self.shut(pool, lock, audit, path) })
            }
        }
        do { try result.get() } catch { throw LedgerError(error, at: path) }
    }

    private static func shut(_ pool: DatabasePool, _ lock: WriterLock, _ audit: AuditLog, _ path: FilePath) throws {
        // Last of all: the checkpoint still needs the right to write.
        defer { lock.release() }
        // The last word of the audit log. A disk that is full does not keep a process from ending.
        try? pool.writeWithoutTransaction { db in
            audit.begin()
            try db.inTransaction {
                try LedgerTransaction(db: db, path: path, audit: audit).auditEvent("closing")
                return .commit
            }
            // Still on the writer's queue, where no other transaction can come between.
            audit.committed()
        }
        let emptied = Result {
            try pool.writeWithoutTransaction { db in
                // To 0 bytes, so that what was deleted is gone from the log, too. A reader elsewhere may be in the way:
                // it is given a moment, and its leave to keep the log for the next start.
                try db.execute(sql: "PRAGMA busy_timeout = 250; PRAGMA wal_checkpoint(TRUNCATE)")
            }
        }
        try pool.close()
        audit.finish()
        do { try emptied.get() } catch DatabaseError.SQLITE_MISUSE { return }
    }

    // MARK: Recorder

    /// Writes the candidate and its documents to disk, durably.
    ///
    /// Finishes whatever happens to the task: cancelling it does not undo half of a transaction somebody relies on.
    /// - Throws: ``LedgerError``; then nothing is written, and nothing may be activated.
    public func intend(_ intent: Intent) async throws -> Int {
        try await write { try $0.intend(intent) }
    }

    /// Writes the outcome. For `committed` this is the commit point: the version has its number, the highest plus one,
    /// and is on disk when this returns. Other outcomes take no number.
    ///
    /// Finishes whatever happens to the task, as ``intend(_:)`` does.
    /// - Throws: `notUnderWay` for an attempt that has its outcome; any other ``LedgerError`` leaves it under way.
    public func conclude(_ conclusion: Conclusion) async throws -> Version? {
        let entry = try await write { try $0.conclude(conclusion) }
        pruneInTurn(at: entry.attempt.at)
        return entry.version
    }

    /// Keeps a refused candidate, under an id of the ledger's own.
    ///
    /// The same refusal met again in the files (same digest, same diagnostics, nothing recorded in between) is counted on the
    /// row that is there. Of its diagnostics the first 100, and 64 KiB, are kept.
    /// - Throws: ``LedgerError``.
    public func reject(_ attempt: Attempt) async throws {
        try await write { try $0.reject(attempt) }
        pruneInTurn(at: attempt.at)
    }

    /// What is kept, newest first; sees every write that returned before it was called.
    /// - Throws: as ``LedgerReader/history(_:)``.
    public func history(_ query: HistoryQuery) async throws -> HistoryPage { try await reader.history(query) }

    /// The documents of a kept version, as they were written; `nil` when the version is not kept.
    /// - Throws: as ``LedgerReader/documents(of:)``.
    public func documents(of version: Int) async throws -> [StoredDocument]? { try await reader.documents(of: version) }

    /// The documents of any intended candidate, committed or not: what an interrupted one wanted to run.
    /// - Throws: as ``LedgerReader/documents(ofAttempt:)``.
    public func documents(ofAttempt id: Int) async throws -> [StoredDocument]? {
        try await reader.documents(ofAttempt: id)
    }

    /// What former processes intended to write and neither committed nor put back, oldest first.
    /// - Throws: ``LedgerError``.
    public func unfinishedWrites() async throws -> [UnfinishedWrite] { try await write { try $0.unfinishedWrites() } }

    /// - Throws: ``LedgerError``; then the next start tries again.
    public func restored(_ attempt: Int) async throws { try await write { try $0.restored(attempt) } }

    /// - Throws: ``LedgerError``.
    public func pendingConfirmation(of environment: EnvironmentName) async throws -> Confirmation? {
        try await write { try $0.pendingConfirmation(of: environment) }
    }

    /// - Throws: ``LedgerError``; then the version still waits.
    public func endConfirmation(of version: Int, by cause: Cause) async throws {
        try await write { try $0.endConfirmation(of: version, by: cause) }
    }

    // MARK: Audit

    /// Takes over how often the audit log is signed and where its checkpoints are kept.
    public func follow(_ policy: AuditPolicy) { audit.follow(policy) }

    /// Signs what the audit log holds, if there is anything new.
    /// - Throws: ``LedgerError``.
    public func checkpoint() async throws {
        try await write { [audit] in try audit.sign(in: $0.db) }
    }

    /// A sign of life, so that silence is provable.
    /// - Throws: ``LedgerError``.
    public func heartbeat() async throws { try await note("heartbeat") }

    /// The wall clock was set: times before and after cannot be compared.
    /// - Parameter time: By how much, negative when it was set back.
    /// - Throws: ``LedgerError``.
    public func noteClockJump(of time: Duration) async throws {
        try await note("clock-jump") { $0.add("milliseconds", Int(clamping: time.nanoseconds / 1_000_000)) }
    }

    /// What the log's checkpoints call it: `plue-3f2a9c11d0e45b67`.
    public var auditOrigin: String { audit.origin }

    /// Somebody is about to be shown a secret.
    /// - Throws: ``LedgerError``; then nothing may be shown.
    public func noteReveal(of key: SettingKey, by cause: Cause) async throws {
        try await note("reveal") { entry in
            entry.add(cause)
            entry.add("key", key.description)
        }
    }

    /// Keys were added, made active or retired.
    /// - Throws: ``LedgerError``.
    public func noteKeys(_ what: String, by cause: Cause) async throws {
        try await note("keys") { entry in
            entry.add(cause)
            entry.add("keys", what)
        }
    }

    /// Something that is no change of the history.
    func note(_ action: String, _ fields: @escaping @Sendable (inout AuditEntry) -> Void = { _ in }) async throws {
        try await write { try $0.auditEvent(action, fields) }
    }

    // MARK: Retention

    /// Keeps so much from now on.
    public func follow(_ retention: Retention) { self.retention.withLock { $0 = retention } }

    /// Applies the retention now; ages are measured against `now`. Happens by itself once in
    /// `Retention/interval` outcomes, measured against the newest one's time.
    /// - Throws: ``LedgerError``; then nothing was removed.
    public func prune(at now: Date) async throws {
        let retention = retention.withLock { $0 }
        try await write { _ = try $0.prune(retention, at: now) }
        untilPruned.store(Retention.interval, ordering: .relaxed)
    }

    /// Never in a commit's own transaction: removing old versions is no reason for a new one to fail or to wait. It runs on
    /// the writer's queue, before whatever is written next.
    private func pruneInTurn(at now: Date) {
        guard untilPruned.subtract(1, ordering: .relaxed).newValue <= 0 else { return }
        untilPruned.store(Retention.interval, ordering: .relaxed)
        let retention = retention.withLock { $0 }
        pool.asyncWrite(
            { [path, audit] db in
                audit.begin()
                return try LedgerTransaction(db: db, path: path, audit: audit).prune(retention, at: now)
            },
            completion: { [logger, path, audit] _, result in
                if case .success = result { audit.committed() }
                // Nothing was removed and nothing is lost; what stands in the way is thrown at the next write.
                if case .failure(let error) = result {
                    logger.warning("the history could not be pruned", metadata: ["error": "\(LedgerError(error, at: path))"])
                }
            })
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (LedgerTransaction) throws -> Value
    ) async throws(LedgerError) -> Value {
        // GRDB's `asyncWrite`, on its own dispatch queue (see LedgerReader), and not its `async` write: that one gives a
        // transaction up when the task is cancelled, and a commit point must not depend on who still waits for it.
        let result: Result<Value, any Error> = await withCheckedContinuation { continuation in
            pool.asyncWrite(
                { [path, audit] db in
                    audit.begin()
                    return try body(LedgerTransaction(db: db, path: path, audit: audit))
                },
                completion: { [audit] _, result in
                    if case .success = result { audit.committed() }
                    continuation.resume(returning: result)
                })
        }
        do { return try result.get() } catch { throw LedgerError(error, at: path) }
    }
}
