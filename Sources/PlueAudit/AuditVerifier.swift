import Crypto
import Foundation

/// Whether an audit log, and the history it speaks of, are what was written.
///
/// It reads the database and nothing else of Plue: not the writer's code, not the daemon. What it holds the database against are
/// the key that signs (best taken from a copy kept elsewhere) and checkpoints that were kept elsewhere.
///
/// What it cannot find: a change of what is newer than every checkpoint kept elsewhere, by someone who has the signing key too;
/// and whatever the writer was made to write, since a log tells who asked, not whether they were right.
public struct AuditVerifier: Sendable {
    /// What the verifier found; the raw value is `plue audit verify`'s exit code.
    public enum Verdict: Int32, Sendable {
        case intact = 0
        /// An entry, a row of the history, a document or a checkpoint is not what was written.
        case modified = 2
        /// The end is missing, or an older state was put in its place.
        case truncated = 3
        /// Signed with another key.
        case unknownKey = 4
        /// Something in the middle is missing.
        case gap = 5
        case unreadable = 6
    }

    public struct Report: Sendable {
        public var verdict: Verdict
        /// What is wrong and where, in one sentence; what was looked at, when nothing is.
        public var finding: String
        /// How many entries there are.
        public var entries = 0
        /// The newest checkpoint in the database that the key vouches for.
        public var newest: Checkpoint?

        public init(verdict: Verdict, finding: String, entries: Int = 0, newest: Checkpoint? = nil) {
            self.verdict = verdict
            self.finding = finding
            self.entries = entries
            self.newest = newest
        }
    }

    private let key: VerifierKey
    private let kept: [Checkpoint]

    /// - Parameters:
    ///   - key: The only one whose checkpoints count.
    ///   - kept: Checkpoints that were kept elsewhere, in any order.
    public init(key: VerifierKey, kept: [Checkpoint]) {
        self.key = key
        self.kept = kept
    }

    /// Looks at a whole database. Blocks.
    public func verify(database path: String) -> Report {
        var examination = Examination(key: key, kept: kept)
        do {
            let database = try EvidenceDatabase(path: path)
            try examination.examine(database)
            return Report(
                verdict: .intact,
                finding:
                    "\(examination.entries) entries, \(examination.checkpoints) checkpoints, \(examination.attempts) candidates and \(examination.documents) documents are as they were written",
                entries: examination.entries, newest: examination.newest)
        } catch let finding as Examination.Finding {
            return Report(verdict: finding.verdict, finding: finding.what, entries: examination.entries, newest: nil)
        } catch let error as EvidenceDatabase.Unreadable {
            return Report(verdict: .unreadable, finding: "the database cannot be read: \(error.problem)")
        } catch {
            return Report(verdict: .unreadable, finding: "the database cannot be read")
        }
    }
}

/// The entries of an audit log, for those who want to read them.
public enum AuditReader {
    /// The database cannot be read; why, in SQLite's words.
    public struct Unreadable: Error, CustomStringConvertible {
        let problem: String
        public var description: String { "the audit log cannot be read: \(problem)" }
    }

    /// Hands over the entries from a number on, oldest first, until told to stop.
    /// - Throws: A sentence when the database cannot be read, or holds what is no entry.
    public static func read(database path: String, from first: Int = 1, _ take: (AuditRecord) throws -> Bool) throws {
        let database = try EvidenceDatabase(path: path)
        try database.query("SELECT entry FROM audit_entry WHERE seq >= \(first) ORDER BY seq") { row in
            guard let record = row.bytes(0).flatMap(AuditRecord.init) else { throw Unreadable(problem: "it holds what is no entry") }
            return try take(record)
        }
    }
}
