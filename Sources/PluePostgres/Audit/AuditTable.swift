/// A copy of an audit log in PostgreSQL: rows are added, never changed.
///
/// ```swift
/// let table = try AuditTable("audit.plue", origin: "web-1")
/// try await table.create(through: pool)
/// try await table.catchUp(through: pool) { sequence in try ledger.auditRows(after: sequence, limit: 500) }
/// ```
///
/// Logs of several machines share a table: `origin` tells them apart. Signed checkpoints stand in a table of their own, whose name
/// ends in `_checkpoint`. What is in the copy can be verified as the log itself can: entries in their canonical text, the hashes
/// of the tree's leaves, the signed roots.
///
/// The login needs INSERT and SELECT on the tables, and CREATE on the schema where they are missing.
public struct AuditTable: Sendable {
    /// Which log the rows are of.
    public let origin: String
    private let entries: TableName
    private let checkpoints: TableName

    /// A line of the log.
    public struct Row: Hashable, Sendable {
        /// From 1 on, without a gap.
        public var sequence: Int
        /// The entry's canonical text, as it was hashed.
        public var entry: String
        /// The leaf's hash: 64 hexadecimal digits in lower case.
        public var leaf: String

        public init(sequence: Int, entry: String, leaf: String) {
            self.sequence = sequence
            self.entry = entry
            self.leaf = leaf
        }
    }

    /// A signed root.
    public struct Checkpoint: Hashable, Sendable {
        /// How many entries it covers.
        public var size: Int
        /// The signed note.
        public var note: String

        public init(size: Int, note: String) {
            self.size = size
            self.note = note
        }
    }

    /// Some rows and checkpoints, for one transaction.
    public struct Batch: Hashable, Sendable {
        /// By sequence.
        public var rows: [Row]
        /// By size.
        public var checkpoints: [Checkpoint]

        public init(rows: [Row] = [], checkpoints: [Checkpoint] = []) {
            self.rows = rows
            self.checkpoints = checkpoints
        }
    }

    /// What the table has of a log already.
    public struct Position: Hashable, Sendable {
        /// The highest sequence; 0 when there is none.
        public var sequence = 0
        /// The largest checkpoint's size; 0 when there is none.
        public var checkpoint = 0

        public init(sequence: Int = 0, checkpoint: Int = 0) {
            self.sequence = sequence
            self.checkpoint = checkpoint
        }
    }

    /// The table holds something else: another log of this origin was written there, or one of the two was changed.
    public struct Conflict: Error, Hashable, Sendable, CustomStringConvertible {
        /// The first sequence, or checkpoint's size, where the two differ.
        public let sequence: Int
        /// Whether it is a checkpoint, and not an entry.
        public let isCheckpoint: Bool
        /// The table that lacks it.
        public let table: String

        public var description: String {
            "\(table) holds another \(isCheckpoint ? "checkpoint of size" : "entry") \(sequence) than the audit log"
        }
    }

    /// - Parameters:
    ///   - name: `table` or `schema.table`, in the spelling the database has: letters, digits and `_`.
    ///   - origin: The log's name, which its checkpoints carry too.
    public init(_ name: String = "plue_audit", origin: String) throws(PostgresError) {
        entries = try TableName(name)
        checkpoints = try TableName(name + "_checkpoint")
        if origin.isEmpty || origin.contains("\0") { throw .invalid("an audit log's origin is a name") }
        self.origin = origin
    }

    // MARK: - Making it

    /// Makes the tables where they are missing. The schema has to be there.
    public func create(through pool: PostgresPool) async throws {
        try await pool.withConnection { connection in
            try await create(
                entries,
                """
                (
                    origin      text NOT NULL,
                    sequence    bigint NOT NULL CHECK (sequence > 0),
                    entry       text NOT NULL,
                    leaf        text NOT NULL CHECK (leaf ~ '^[0-9a-f]{64}$'),
                    exported_at timestamptz NOT NULL DEFAULT now(),
                    PRIMARY KEY (origin, sequence)
                )
                """, connection)
            try await create(
                checkpoints,
                """
                (
                    origin      text NOT NULL,
                    size        bigint NOT NULL CHECK (size >= 0),
                    note        text NOT NULL,
                    exported_at timestamptz NOT NULL DEFAULT now(),
                    PRIMARY KEY (origin, size)
                )
                """, connection)
        }
    }

    private func create(_ table: TableName, _ columns: String, _ connection: PostgresConnection) async throws {
        // CREATE … IF NOT EXISTS needs the right to create also where it does not.
        if try await connection.query("SELECT to_regclass($1)", [table.quoted]).value != nil { return }
        do {
            try await connection.query("CREATE TABLE IF NOT EXISTS \(table.quoted) \(columns)")
        } catch PostgresError.server(let message) where [.uniqueViolation, .duplicateTable].contains(message.state) {
            // Two did it at the same time; PostgreSQL then says so of its catalogue.
        }
    }

    // MARK: - Writing

    /// What is there of this log.
    public func position(through pool: PostgresPool) async throws -> Position {
        try await pool.withConnection { try await position($0) }
    }

    private func position(_ connection: PostgresConnection) async throws -> Position {
        let result = try await connection.query(
            """
            SELECT coalesce((SELECT max(sequence) FROM \(entries.quoted) WHERE origin = $1), 0),
                   coalesce((SELECT max(size) FROM \(checkpoints.quoted) WHERE origin = $1), 0)
            """, [origin])
        let numbers = result.rows.first?.map { $0.flatMap { Int($0) } ?? 0 } ?? []
        return Position(sequence: numbers.first ?? 0, checkpoint: numbers.last ?? 0)
    }

    /// Adds rows and checkpoints, all or none; those that are there already are passed over.
    /// - Throws: ``Conflict`` when the table holds something else under the same number.
    public func append(_ batch: Batch, through pool: PostgresPool) async throws {
        if batch.rows.isEmpty && batch.checkpoints.isEmpty { return }
        try await pool.withConnection { connection in
            try await connection.transaction {
                try await add(batch.rows, connection)
                try await add(batch.checkpoints, connection)
            }
        }
    }

    private func add(_ rows: [Row], _ connection: PostgresConnection) async throws {
        if rows.isEmpty { return }
        let parameters = [
            origin, TextArray(rows.map { "\($0.sequence)" }).text, TextArray(rows.map(\.entry)).text, TextArray(rows.map(\.leaf)).text,
        ]
        let given = "unnest($2::bigint[], $3::text[], $4::text[]) AS given (sequence, entry, leaf)"
        try await connection.query(
            """
            INSERT INTO \(entries.quoted) (origin, sequence, entry, leaf)
            SELECT $1, sequence, entry, leaf FROM \(given) ON CONFLICT (origin, sequence) DO NOTHING
            """, parameters)
        // A statement of its own: what another session has just inserted, the first one does not see.
        let found = try await connection.query(
            """
            SELECT min(there.sequence) FROM \(given) JOIN \(entries.quoted) AS there USING (sequence)
            WHERE there.origin = $1 AND (there.entry <> given.entry OR there.leaf <> given.leaf)
            """, parameters)
        if let sequence = found.value.flatMap({ Int($0) }) { throw Conflict(sequence: sequence, isCheckpoint: false, table: entries.name) }
    }

    private func add(_ notes: [Checkpoint], _ connection: PostgresConnection) async throws {
        if notes.isEmpty { return }
        let parameters = [origin, TextArray(notes.map { "\($0.size)" }).text, TextArray(notes.map(\.note)).text]
        let given = "unnest($2::bigint[], $3::text[]) AS given (size, note)"
        try await connection.query(
            """
            INSERT INTO \(checkpoints.quoted) (origin, size, note)
            SELECT $1, size, note FROM \(given) ON CONFLICT (origin, size) DO NOTHING
            """, parameters)
        let found = try await connection.query(
            """
            SELECT min(there.size) FROM \(given) JOIN \(checkpoints.quoted) AS there USING (size)
            WHERE there.origin = $1 AND there.note <> given.note
            """, parameters)
        if let size = found.value.flatMap({ Int($0) }) { throw Conflict(sequence: size, isCheckpoint: true, table: checkpoints.name) }
    }

    // MARK: - Catching up

    /// Exports what the table does not have yet, batch by batch, until there is nothing more.
    ///
    /// Each batch is a transaction: after an outage, or a kill, the next call goes on where the last one came to.
    /// - Parameter read: The rows and checkpoints after a position, as many as make a batch; none at the end.
    /// - Returns: Up to where the table is now.
    @discardableResult
    public func catchUp(through pool: PostgresPool, reading read: (Position) async throws -> Batch) async throws -> Position {
        var position = try await position(through: pool)
        while true {
            try Task.checkCancellation()
            let batch = try await read(position)
            let sequences = [position.sequence] + batch.rows.map(\.sequence)
            let sizes = [position.checkpoint] + batch.checkpoints.map(\.size)
            // Also what keeps this from going round and round.
            guard zip(sequences, sequences.dropFirst()).allSatisfy(<), zip(sizes, sizes.dropFirst()).allSatisfy(<) else {
                throw PostgresError.invalid("a batch of the audit log goes up from the position it was asked for")
            }
            if batch.rows.isEmpty && batch.checkpoints.isEmpty { return position }
            try await append(batch, through: pool)
            position = Position(sequence: sequences.last ?? position.sequence, checkpoint: sizes.last ?? position.checkpoint)
        }
    }
}
