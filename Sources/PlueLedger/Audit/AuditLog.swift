import Foundation
import GRDB
import Logging
import PlueConfig
import Synchronization
public import SystemPackage

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
///
/// Where the tree stands is kept in memory, and the database has to agree before anything is appended: what somebody else put there
/// is never signed.
final class AuditLog: Sendable {
    private let key: AuditKey
    private let path: FilePath
    private let copies: CheckpointCopies
    private let state: Mutex<State>

    private struct State {
        var policy = AuditPolicy()
        /// After the last transaction that was committed.
        var committed: Position
        /// In the transaction under way.
        var current: Position
        /// Checkpoints of the transaction under way, to be kept elsewhere when it is committed.
        var staged: [String] = []
    }

    struct Position {
        var tree = MerkleFrontier()
        /// How many entries the newest checkpoint covers.
        var signed = 0
        /// How often the log says that it is signed; `nil` until this process has said so.
        var every: Int?
    }

    /// Goes on with the log of a database, or begins one.
    /// - Parameter wasMigrated: Whether the database had no log until now.
    /// - Throws: `tampered` when the log is not what was signed, `auditKey` when it could not be signed any more.
    init(continuing path: FilePath, in db: Database, wasMigrated: Bool, logger: Logger) throws {
        let directory = path.removingLastComponent()
        let isEmpty = try Self.stored(db, at: path) == nil
        let hasKey = status(of: directory.appending("audit.key")) != nil
        key = try AuditKey.inside(directory, isNew: isEmpty)
        // A key without a log is as a first start that was killed leaves it; with a history, the log was taken away.
        let hasHistory = try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM attempt)") ?? false
        let position = try Self.start(of: path, in: db, key: key, isNew: isEmpty && (wasMigrated || !hasKey || !hasHistory))
        self.path = path
        copies = CheckpointCopies(directory: directory, logger: logger)
        state = Mutex(State(committed: position, current: position))
    }

    /// The key's name, which every checkpoint carries.
    var origin: String { key.name }

    func follow(_ policy: AuditPolicy) { state.withLock { $0.policy = policy } }

    // MARK: - Inside a transaction

    /// Appends an entry.
    /// - Parameter isPrivileged: Whether a checkpoint follows at once, so that it cannot be taken back unseen.
    func append(_ action: String, in db: Database, isPrivileged: Bool = false, _ fields: (inout AuditEntry) -> Void) throws {
        let (every, known) = state.withLock { ($0.policy.checkpointEvery, $0.current.every) }
        // A verifier has to know how many entries may be unsigned.
        if let known, known != every {
            try write("policy", in: db, isPrivileged: true) { $0.add("checkpoint-every", every) }
            state.withLock { $0.current.every = every }
        }
        try write(action, in: db, isPrivileged: isPrivileged, fields)
    }

    /// The first entry of a process; says how often the log is signed from now on.
    func open(in db: Database) throws {
        let every = state.withLock { state in
            state.current.every = state.policy.checkpointEvery
            return state.policy.checkpointEvery
        }
        try write("opening", in: db, isPrivileged: true) { $0.add("checkpoint-every", every) }
    }

    private func write(_ action: String, in db: Database, isPrivileged: Bool, _ fields: (inout AuditEntry) -> Void) throws {
        var position = state.withLock(\.current)
        guard try Self.stored(db, at: path) ?? MerkleFrontier() == position.tree else {
            throw LedgerError.tampered(path, reason: "the audit log was changed while it was open")
        }
        var entry = AuditEntry(number: position.tree.size + 1, at: .now(), action: action)
        fields(&entry)
        let leaf = MerkleFrontier.leaf(entry.text)
        position.tree.append(leaf)
        let insert = try db.cachedStatement(sql: "INSERT INTO audit_entry (seq, leaf, entry) VALUES (?, ?, ?)")
        try insert.execute(arguments: [position.tree.size, Data(leaf), entry.text])
        let update = try db.cachedStatement(sql: "INSERT OR REPLACE INTO audit_tree (id, size, frontier) VALUES (1, ?, ?)")
        try update.execute(arguments: [position.tree.size, position.tree.packed])
        state.withLock { $0.current = position }
        if isPrivileged || position.tree.size - position.signed >= position.every ?? 1 { try sign(in: db) }
    }

    /// Signs what has been written since the last checkpoint, if anything has.
    func sign(in db: Database) throws {
        var position = state.withLock(\.current)
        guard position.tree.size > position.signed else { return }
        guard try Self.stored(db, at: path) == position.tree else {
            throw LedgerError.tampered(path, reason: "the audit log was changed while it was open")
        }
        let note = try key.checkpoint(position.tree)
        let insert = try db.cachedStatement(sql: "INSERT INTO audit_checkpoint (size, note, frontier) VALUES (?, ?, ?)")
        try insert.execute(arguments: [position.tree.size, note, position.tree.packed])
        position.signed = position.tree.size
        state.withLock { state in
            state.current = position
            state.staged.append(note)
        }
    }

    /// The tree's edge as the database has it; `nil` when nothing was written yet.
    static func stored(_ db: Database, at path: FilePath) throws -> MerkleFrontier? {
        let statement = try db.cachedStatement(sql: "SELECT size, frontier FROM audit_tree WHERE id = 1")
        guard let row = try Row.fetchOne(statement) else { return nil }
        guard let tree = MerkleFrontier(size: try row.value("size"), packed: try row.value("frontier")) else {
            throw LedgerError.tampered(path, reason: "the audit log's tree is not what a Plue writes")
        }
        return tree
    }

    // MARK: - Around a transaction

    func begin() {
        state.withLock { state in
            state.current = state.committed
            state.staged = []
        }
    }

    /// Has the transaction's checkpoints kept in the places that are not the database.
    func committed() {
        let (notes, policy) = state.withLock { state in
            state.committed = state.current
            defer { state.staged = [] }
            return (state.staged, state.policy)
        }
        copies.keep(notes, by: policy)
    }

    /// Waits for the places that checkpoints are kept in, but not for good.
    func finish() { copies.finish(within: 5) }
}
