import Foundation
import GRDB
import Logging
import PlueConfig
import Synchronization
public import SystemPackage

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How often the audit log's state is signed, and where it is kept besides the database.
public struct AuditPolicy: Hashable, Sendable {
    /// Entries between two checkpoints.
    public var checkpointEvery = 100
    /// A file that checkpoints are appended to, best on another disk.
    public var exportFile: FilePath?
    /// Whether checkpoints are sent to syslog too.
    public var usesSyslog = false

    public init() {}
}

/// The writing half of the audit log: a Merkle tree of entries, written in the same transaction as what they tell of, and
/// signed checkpoints of it. The reading half is PlueAudit, which shares no code with this one.
final class AuditLog: Sendable {
    private let key: AuditKey
    private let directory: FilePath
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var policy = AuditPolicy()
        /// Checkpoints of the transaction under way, to be kept elsewhere when it is committed.
        var staged: [String] = []
    }

    init(directory: FilePath, logger: Logger) throws {
        key = try AuditKey.inside(directory)
        self.directory = directory
        self.logger = logger
    }

    func follow(_ policy: AuditPolicy) { state.withLock { $0.policy = policy } }

    // MARK: - Inside a transaction

    /// Appends an entry.
    /// - Parameter isPrivileged: Whether a checkpoint follows at once, so that it cannot be taken back unseen.
    func append(_ action: String, in db: Database, isPrivileged: Bool = false, _ fields: (inout AuditEntry) -> Void) throws {
        var tree = try tree(db)
        var entry = AuditEntry(number: tree.size + 1, at: .now(), action: action)
        fields(&entry)
        let leaf = MerkleFrontier.leaf(entry.text)
        tree.append(leaf)
        let insert = try db.cachedStatement(sql: "INSERT INTO audit_entry (seq, leaf, entry) VALUES (?, ?, ?)")
        try insert.execute(arguments: [tree.size, Data(leaf), entry.text])
        let update = try db.cachedStatement(sql: "INSERT OR REPLACE INTO audit_tree (id, size, frontier) VALUES (1, ?, ?)")
        try update.execute(arguments: [tree.size, tree.packed])
        let every = state.withLock(\.policy.checkpointEvery)
        if try isPrivileged || tree.size - newestCheckpoint(db) >= every { try sign(tree, in: db) }
    }

    /// Signs what has been written since the last checkpoint, if anything has.
    func sign(in db: Database) throws {
        let tree = try tree(db)
        if try tree.size > newestCheckpoint(db) { try sign(tree, in: db) }
    }

    private func sign(_ tree: MerkleFrontier, in db: Database) throws {
        let note = try key.checkpoint(tree)
        let insert = try db.cachedStatement(sql: "INSERT INTO audit_checkpoint (size, note) VALUES (?, ?)")
        try insert.execute(arguments: [tree.size, note])
        state.withLock { $0.staged.append(note) }
    }

    private func tree(_ db: Database) throws -> MerkleFrontier {
        let statement = try db.cachedStatement(sql: "SELECT size, frontier FROM audit_tree WHERE id = 1")
        guard let row = try Row.fetchOne(statement) else { return MerkleFrontier() }
        guard let tree = MerkleFrontier(size: try row.value("size"), packed: try row.value("frontier")) else {
            throw LedgerError.corrupt(directory.appending("plue.db"), reason: "the audit log's tree is not what a Plue writes")
        }
        return tree
    }

    private func newestCheckpoint(_ db: Database) throws -> Int {
        try Int.fetchOne(db.cachedStatement(sql: "SELECT max(size) FROM audit_checkpoint")) ?? 0
    }

    // MARK: - Around a transaction

    func begin() { state.withLock { $0.staged = [] } }

    /// Keeps the transaction's checkpoints in the places that are not the database. What cannot be written there is said in the
    /// log: the database holds it, and the next checkpoint covers it.
    func committed() {
        let (notes, policy) = state.withLock { state in
            defer { state.staged = [] }
            return (state.staged, state.policy)
        }
        guard !notes.isEmpty else { return }
        let text = notes.map { $0 + "\n" }.joined()
        for path in [directory.appending("audit.checkpoints"), policy.exportFile].compactMap(\.self) {
            do {
                let file = try FileDescriptor.open(path, .writeOnly, options: [.create, .append], permissions: .ownerReadWrite)
                _ = try file.closeAfter { try file.writeAll(Array(text.utf8)) }
            } catch {
                logger.error("a checkpoint could not be kept", metadata: ["path": "\(path)", "problem": "\(error)"])
            }
        }
        if policy.usesSyslog { for note in notes { Self.syslog(note) } }
    }

    /// One line: syslog has no others.
    private static func syslog(_ note: String) {
        let line = "plue audit checkpoint " + note.split(separator: "\n").joined(separator: " ")
        withVaList([]) { arguments in
            // The text is an argument of its own form: base64, digits and a name, without a percent sign.
            line.replacing("%", with: "%%").withCString { vsyslog(LOG_NOTICE | LOG_AUTHPRIV, $0, arguments) }
        }
    }
}
