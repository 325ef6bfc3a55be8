import Foundation
import GRDB
public import PlueConfig
public import SystemPackage

/// Reads a ledger, and cannot write it.
///
/// A value of this type is all the command line needs to show a history while a daemon goes on writing it: each call sees
/// the database as it was at one moment, and neither waits for the other.
public struct LedgerReader: Sendable {
    let path: FilePath
    // GRDB runs every access on a dispatch queue of its own: SQLite blocks in the disk and in its locks, and on Swift's
    // cooperative pool each blocked thread is one of a fixed few that everything else in the process shares.
    let database: any DatabaseReader

    /// What is kept, newest first, as `Recorder/history(_:)` says.
    /// - Throws: ``LedgerError``; `CancellationError` when the task is cancelled.
    public func history(_ query: HistoryQuery) async throws -> HistoryPage {
        try await read { try $0.history(query) }
    }

    /// The documents of a kept version, as they were written; `nil` when the version is not kept.
    /// - Throws: ``LedgerError``: `corrupt` when they are not what their digest says; `CancellationError`.
    public func documents(of version: Int) async throws -> [StoredDocument]? {
        try await read { transaction in try transaction.tree(ofVersion: version).map(transaction.documents) }
    }

    /// The documents of any intended candidate, committed or not: what an interrupted one wanted to run.
    ///
    /// `nil` when the attempt is not kept, or was refused before it was intended.
    /// - Throws: ``LedgerError``: `corrupt` when they are not what their digest says; `CancellationError`.
    public func documents(ofAttempt id: Int) async throws -> [StoredDocument]? {
        try await read { transaction in try transaction.tree(ofAttempt: id).map(transaction.documents) }
    }

    /// The version since which a document has held what it holds in the newest version, as far as `isSame` looks at it.
    ///
    /// Goes back through the versions of one environment, reading each text of the document once. `nil` when the newest version
    /// holds something else.
    /// - Parameter isSame: Given the document's bytes, `nil` where it does not exist.
    /// - Throws: ``LedgerError``; `CancellationError`.
    public func since(
        _ document: String, in environment: EnvironmentName, where isSame: @escaping @Sendable ([UInt8]?) -> Bool
    ) async throws -> ValueBeginning? {
        try await read { try $0.since(document, in: environment, where: isSame) }
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (LedgerTransaction) throws -> Value
    ) async throws -> Value {
        do {
            return try await database.read { [path] db in try body(LedgerTransaction(db: db, path: path)) }
        } catch let error as CancellationError {
            throw error
        } catch {
            throw LedgerError(error, at: path)
        }
    }
}

extension Ledger {
    /// Opens the ledger in `directory` to read it. Nothing is created, locked or changed, and nothing is recovered: what a
    /// daemon has under way is shown as under way.
    ///
    /// Blocks while it opens the file.
    /// - Throws: `missing` when nothing is recorded there; `unprepared` when the newest commits are in a log file that could only be read by making another;
    ///   otherwise as ``Ledger/init(directory:retention:logger:)``.
    public static func reading(_ directory: FilePath) throws(LedgerError) -> LedgerReader {
        let state = try StateDirectory.existing(at: directory)
        // SQLite would make a missing one, whatever the flags say.
        let isPrepared = state.sidecars.allSatisfy { status(of: $0) != nil }
        // Other tools remove them when they close a database. A writer has them open as long as it lives.
        let isWhole = status(of: state.log).map { $0.st_size == 0 } ?? true
        guard isPrepared || isWhole else { throw .unprepared(state.database) }
        do {
            let queue = try Connection.reader(at: state.database, isImmutable: !isPrepared, busyTimeout: Ledger.busyTimeout)
            return LedgerReader(path: state.database, database: queue)
        } catch {
            throw LedgerError(error, at: state.database)
        }
    }
}
