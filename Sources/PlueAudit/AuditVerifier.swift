#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Whether an audit log, and the history it speaks of, are what was written.
///
/// It reads the database and nothing else of Plue: not the writer's code, not the daemon. What it holds the database against are
/// the key that signs (best taken from a copy kept elsewhere) and checkpoints that were kept elsewhere.
///
/// What it cannot find: a change of what no checkpoint covers yet, by someone who can write the database; one of what is newer than
/// every checkpoint kept elsewhere, by someone who has the signing key too, and an end cut off there by anyone; and whatever the
/// writer was made to write, since a log tells who asked, not whether they were right.
public struct AuditVerifier: Sendable {
    /// What the verifier found; the raw value is `plue audit verify`'s exit code.
    public enum Verdict: Int32, Sendable {
        case intact = 0
        /// An entry, a row of the history, a document or a checkpoint is not what was written.
        case modified = 2
        /// The end is missing, or a checkpoint, or an older state was put in its place.
        case truncated = 3
        /// Signed with another key.
        case unknownKey = 4
        /// Something in the middle is missing.
        case gap = 5
        case unreadable = 6
    }

    /// What a verification found.
    public struct Report: Sendable {
        /// Intact, or the first thing that is wrong.
        public var verdict: Verdict
        /// What is wrong and where, in one sentence; what was looked at, when nothing is.
        public var finding: String
        /// How many entries there are.
        public var entries = 0
        /// How many of them, the newest, no checkpoint in the database covers yet.
        public var unsigned = 0
        /// The newest checkpoint in the database that the key vouches for.
        public var newest: Checkpoint?

        public init(verdict: Verdict, finding: String, entries: Int = 0, unsigned: Int = 0, newest: Checkpoint? = nil) {
            self.verdict = verdict
            self.finding = finding
            self.entries = entries
            self.unsigned = unsigned
            self.newest = newest
        }
    }

    /// A checkpoint that was kept elsewhere.
    public struct Witness: Sendable {
        /// The checkpoint that was kept elsewhere.
        public let checkpoint: Checkpoint
        /// Where it was kept, for the finding.
        public let place: String
        /// Whether one that another key signed says nothing, instead of being a finding: in a file that lies beside the database and
        /// may be older than the key.
        public let mayBeForeign: Bool

        public init(_ checkpoint: Checkpoint, in place: String, mayBeForeign: Bool = false) {
            self.checkpoint = checkpoint
            self.place = place
            self.mayBeForeign = mayBeForeign
        }
    }

    private let key: VerifierKey
    private let witnesses: [Witness]

    /// - Parameters:
    ///   - key: The only one whose checkpoints count.
    ///   - witnesses: What was kept elsewhere, in any order.
    public init(key: VerifierKey, witnesses: [Witness]) {
        self.key = key
        self.witnesses = witnesses
    }

    /// - Parameters:
    ///   - key: The only one whose checkpoints count.
    ///   - kept: Checkpoints that were kept elsewhere, in any order.
    public init(key: VerifierKey, kept: [Checkpoint]) {
        self.init(key: key, witnesses: kept.map { Witness($0, in: "what was kept elsewhere") })
    }

    /// Looks at a whole database. Blocks.
    public func verify(database path: String) -> Report { verify(database: path, reading: nil) }

    /// Looks at a whole database, and then hands over its entries as they were at that moment, oldest first. Blocks.
    ///
    /// The entries are handed over whatever the verdict, as far as they can be read.
    public func verify(database path: String, thenRead take: (AuditRecord) -> Void) -> Report {
        withoutActuallyEscaping(take) { verify(database: path, reading: $0) }
    }

    private func verify(database path: String, reading take: ((AuditRecord) -> Void)?) -> Report {
        guard access(path, F_OK) == 0 else {
            // What cannot be looked at may be there, and say nothing bad.
            guard errno == ENOENT || errno == ENOTDIR else {
                return Report(verdict: .unreadable, finding: "\(path) cannot be looked at: \(String(cString: strerror(errno)))")
            }
            let witness = witnesses.filter { $0.checkpoint.standing(under: key) == .signed }.max { $0.checkpoint.size < $1.checkpoint.size }
            guard let witness else { return Report(verdict: .unreadable, finding: "\(path) does not exist") }
            return Report(
                verdict: .truncated,
                finding: "\(path) is gone, and \(witness.checkpoint.size) entries were written as \(witness.place) has it")
        }
        do {
            let database = try EvidenceDatabase(path: path)
            let report = verify(database)
            if let take {
                try? AuditReader.read(database, from: 1) { record in
                    take(record)
                    return true
                }
            }
            return report
        } catch {
            return Report(verdict: .unreadable, finding: "the database cannot be read: \(error.problem)")
        }
    }

    private func verify(_ database: EvidenceDatabase) -> Report {
        var examination = Examination(key: key, witnesses: witnesses)
        do {
            try examination.examine(database)
            let counts =
                "\(examination.entries) entries, \(examination.checkpoints) checkpoints, \(examination.attempts) candidates and \(examination.documents) documents are as they were written"
            return Report(
                verdict: .intact,
                finding: counts + (examination.unsigned > 0 ? "; \(examination.unsigned) entries are not signed yet" : ""),
                entries: examination.entries, unsigned: examination.unsigned, newest: examination.newest)
        } catch let finding as Examination.Finding {
            return Report(verdict: finding.verdict, finding: finding.what, entries: examination.entries)
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
        try read(EvidenceDatabase(path: path), from: first, take)
    }

    /// The number of the newest entry; 0 when there is none.
    /// - Throws: A sentence when the database cannot be read.
    public static func newest(database path: String) throws -> Int {
        Int(clamping: try EvidenceDatabase(path: path).number("SELECT max(seq) FROM audit_entry") ?? 0)
    }

    static func read(_ database: EvidenceDatabase, from first: Int, _ take: (AuditRecord) throws -> Bool) throws {
        try database.query("SELECT entry FROM audit_entry NOT INDEXED WHERE seq >= \(first) ORDER BY seq") { row in
            guard let record = row.text(0).flatMap(AuditRecord.init) else { throw Unreadable(problem: "it holds what is no entry") }
            return try take(record)
        }
    }
}
