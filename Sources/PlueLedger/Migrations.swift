import GRDB

extension DatabaseMigrator {
    /// Every format the database ever had, oldest first. A published step is never edited, only followed by another.
    static var ledger: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1: history") { db in
            try db.execute(
                sql: """
                    -- A document by its content; each is stored once. With a base, `bytes` stand between the base's first `head`
                    -- and last `tail` bytes. A base is always older: base < id.
                    CREATE TABLE document (
                        id     INTEGER PRIMARY KEY,
                        sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
                        base   INTEGER REFERENCES document (id) CHECK (base < id),
                        depth  INTEGER NOT NULL,
                        head   INTEGER,
                        tail   INTEGER,
                        bytes  BLOB NOT NULL
                    );
                    CREATE INDEX document_base ON document (base) WHERE base IS NOT NULL;

                    CREATE TABLE name (
                        id   INTEGER PRIMARY KEY,
                        text TEXT NOT NULL UNIQUE
                    );

                    -- A candidate. It is under way while outcome is NULL and a version once it has a number.
                    -- at, last_at: seconds since 2001-01-01 UTC, so that a Date comes back as it went in:
                    -- datetime(at + 978307200, 'unixepoch').
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
                        tree         BLOB,
                        CHECK ((version IS NOT NULL) = (outcome IS 'committed')),
                        CHECK (outcome IS NOT NULL OR tree IS NOT NULL)
                    );
                    -- The few that are not versions: found at start (under way) and when pruning (refused).
                    CREATE INDEX attempt_unnumbered ON attempt (id) WHERE version IS NULL;
                    """)
            try db.execute(sql: "PRAGMA application_id = \(Connection.applicationID); PRAGMA user_version = 1")
        }
        migrator.registerMigration("2: changes") { db in
            try db.execute(
                sql: """
                    -- The documents that the transaction itself writes: what they held, and what they are to hold, each a list
                    -- as in tree, 0 standing for a document that is not there. replaced stays: what was written over is kept.
                    ALTER TABLE attempt ADD COLUMN replaced BLOB;
                    ALTER TABLE attempt ADD COLUMN written BLOB;
                    -- 1 from the intent until it is known that they hold what the outcome says.
                    ALTER TABLE attempt ADD COLUMN unrestored INTEGER NOT NULL DEFAULT 0;
                    CREATE INDEX attempt_unrestored ON attempt (id) WHERE unrestored;
                    -- When the version is taken back, while it waits to be confirmed, as at; and to which.
                    ALTER TABLE attempt ADD COLUMN confirm_by REAL;
                    ALTER TABLE attempt ADD COLUMN fallback INTEGER;
                    CREATE INDEX attempt_unconfirmed ON attempt (id) WHERE confirm_by IS NOT NULL AND version IS NOT NULL;
                    PRAGMA user_version = 2;
                    """)
        }
        migrator.registerMigration("3: audit") { db in
            try db.execute(
                sql: """
                    -- The audit log: a Merkle tree (RFC 6962) over the entries' texts; Documentation/audit.md has the forms.
                    CREATE TABLE audit_entry (
                        seq   INTEGER PRIMARY KEY,
                        leaf  BLOB NOT NULL CHECK (length(leaf) = 32),
                        entry TEXT NOT NULL
                    );
                    -- The right edge of the tree.
                    CREATE TABLE audit_tree (
                        id       INTEGER PRIMARY KEY CHECK (id = 1),
                        size     INTEGER NOT NULL,
                        frontier BLOB NOT NULL
                    );
                    -- Signed roots, by how many entries they cover; frontier is the right edge the tree had then, from which it
                    -- can be grown again without a look at all the entries before.
                    CREATE TABLE audit_checkpoint (
                        size     INTEGER PRIMARY KEY,
                        note     TEXT NOT NULL,
                        frontier BLOB NOT NULL
                    );
                    PRAGMA user_version = 3;
                    """)
        }
        migrator.registerMigration("4: access") { db in
            try db.execute(
                sql: """
                    -- API tokens. Of a token itself there is only the SHA-256: it has 256 random bits, so nothing slower is needed.
                    -- used_at says when, to the minute; everything else is bound by the token's entry in the audit log.
                    CREATE TABLE token (
                        name       TEXT NOT NULL PRIMARY KEY,
                        sha256     BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
                        role       TEXT NOT NULL,
                        sections   TEXT,
                        made_by    TEXT NOT NULL,
                        made_at    REAL NOT NULL,
                        expires_at REAL,
                        used_at    REAL
                    );
                    -- Changes that wait for somebody else's approval, as they were asked for and as they were planned.
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
                    );
                    PRAGMA user_version = 4;
                    """)
        }
        return migrator
    }
}
