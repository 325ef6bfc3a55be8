/// What a ledger's database consists of, word by word: the verifier's own copy, so that it need not trust the writer's.
///
/// Anything more may run by itself, show other rows than there are, or have them found in other places; anything less, or in other
/// words, was made by somebody else.
enum ExpectedSchema {
    struct Part: Hashable {
        let type: String
        let name: String
        /// `nil` for an index that comes with its table.
        let words: String?
    }

    /// "Plue", in the header.
    static let application: Int64 = 0x506C_7565
    static let format: Int64 = 4
    static let migrations = ["1: history", "2: changes", "3: audit", "4: access"]

    static let parts: Set<Part> = [
        table("grdb_migrations", "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)"),
        Part(type: "index", name: "sqlite_autoindex_grdb_migrations_1", words: nil),
        table(
            "document",
            """
            CREATE TABLE document (
                id     INTEGER PRIMARY KEY,
                sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
                base   INTEGER REFERENCES document (id) CHECK (base < id),
                depth  INTEGER NOT NULL,
                head   INTEGER,
                tail   INTEGER,
                bytes  BLOB NOT NULL
            )
            """),
        Part(type: "index", name: "sqlite_autoindex_document_1", words: nil),
        index("document_base", "document (base) WHERE base IS NOT NULL"),
        table(
            "name",
            """
            CREATE TABLE name (
                id   INTEGER PRIMARY KEY,
                text TEXT NOT NULL UNIQUE
            )
            """),
        Part(type: "index", name: "sqlite_autoindex_name_1", words: nil),
        table(
            "attempt",
            """
            CREATE TABLE attempt (
                id           INTEGER PRIMARY KEY AUTOINCREMENT,
                version      INTEGER UNIQUE,
                parent       INTEGER,
                triggered_by TEXT NOT NULL,
                actor        TEXT NOT NULL,
                reason       TEXT NOT NULL,
                at           REAL NOT NULL,
                duration_ns  INTEGER NOT NULL,
                phase        TEXT NOT NULL,
                outcome      TEXT,
                problem      TEXT,
                digest       TEXT,
                environment  TEXT NOT NULL,
                times        INTEGER NOT NULL DEFAULT 1,
                last_at      REAL,
                changed_keys TEXT,
                services     TEXT,
                diagnostics  TEXT,
                tree         BLOB, replaced BLOB, written BLOB, unrestored INTEGER NOT NULL DEFAULT 0, confirm_by REAL, fallback INTEGER,
                CHECK ((version IS NOT NULL) = (outcome IS 'committed')),
                CHECK (outcome IS NOT NULL OR tree IS NOT NULL)
            )
            """),
        Part(type: "index", name: "sqlite_autoindex_attempt_1", words: nil),
        table("sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)"),
        index("attempt_unnumbered", "attempt (id) WHERE version IS NULL"),
        index("attempt_unrestored", "attempt (id) WHERE unrestored"),
        index("attempt_unconfirmed", "attempt (id) WHERE confirm_by IS NOT NULL AND version IS NOT NULL"),
        table(
            "audit_entry",
            """
            CREATE TABLE audit_entry (
                seq   INTEGER PRIMARY KEY,
                leaf  BLOB NOT NULL CHECK (length(leaf) = 32),
                entry TEXT NOT NULL
            )
            """),
        table(
            "audit_tree",
            """
            CREATE TABLE audit_tree (
                id       INTEGER PRIMARY KEY CHECK (id = 1),
                size     INTEGER NOT NULL,
                frontier BLOB NOT NULL
            )
            """),
        table(
            "audit_checkpoint",
            """
            CREATE TABLE audit_checkpoint (
                size     INTEGER PRIMARY KEY,
                note     TEXT NOT NULL,
                frontier BLOB NOT NULL
            )
            """),
        table(
            "token",
            """
            CREATE TABLE token (
                name       TEXT NOT NULL PRIMARY KEY,
                sha256     BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
                role       TEXT NOT NULL,
                sections   TEXT,
                made_by    TEXT NOT NULL,
                made_at    REAL NOT NULL,
                expires_at REAL,
                used_at    REAL
            )
            """),
        Part(type: "index", name: "sqlite_autoindex_token_1", words: nil),
        Part(type: "index", name: "sqlite_autoindex_token_2", words: nil),
        table(
            "proposal",
            """
            CREATE TABLE proposal (
                id          INTEGER PRIMARY KEY AUTOINCREMENT,
                hash        TEXT NOT NULL,
                environment TEXT NOT NULL,
                version     INTEGER NOT NULL,
                actor       TEXT NOT NULL,
                reason      TEXT NOT NULL,
                at          REAL NOT NULL,
                expires_at  REAL NOT NULL,
                change      TEXT NOT NULL,
                plan        TEXT NOT NULL
            )
            """),
    ]

    private static func table(_ name: String, _ words: String) -> Part { Part(type: "table", name: name, words: words) }

    private static func index(_ name: String, _ words: String) -> Part {
        Part(type: "index", name: name, words: "CREATE INDEX \(name) ON \(words)")
    }
}
