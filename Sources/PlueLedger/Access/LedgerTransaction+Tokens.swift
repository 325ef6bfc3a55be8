import Crypto
import Foundation
import GRDB
import PlueConfig

/// API tokens: a row each, bound by the entry of the audit log that tells of its making.
extension LedgerTransaction {
    func tokens() throws -> [StoredToken] {
        let rows = try Row.fetchAll(
            db, sql: "SELECT name, sha256, role, sections, made_by, made_at, expires_at, used_at FROM token ORDER BY name")
        return try rows.map { row in
            // A role that is not known opens nothing, rather than something else.
            guard let role = Role(rawValue: try row.value("role")) else { throw corrupt("a token has a role that no Plue gives") }
            return StoredToken(
                name: try row.value("name"), digest: Array(try row.value("sha256") as Data), role: role,
                sections: (try row.value("sections") as String?).map { $0.split(separator: ",").map(String.init) },
                madeBy: try row.value("made_by"), madeAt: Date(timeIntervalSinceReferenceDate: try row.value("made_at")),
                expiresAt: (try row.value("expires_at") as Double?).map { Date(timeIntervalSinceReferenceDate: $0) },
                usedAt: (try row.value("used_at") as Double?).map { Date(timeIntervalSinceReferenceDate: $0) })
        }
    }

    func add(_ token: StoredToken, by cause: Cause) throws -> Bool {
        guard try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM token WHERE name = ?)", arguments: [token.name]) == false else {
            return false
        }
        let sections = token.sections?.joined(separator: ",")
        try db.execute(
            sql: "INSERT INTO token (name, sha256, role, sections, made_by, made_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                token.name, Data(token.digest), token.role.rawValue, sections, token.madeBy,
                token.madeAt.timeIntervalSinceReferenceDate, token.expiresAt?.timeIntervalSinceReferenceDate,
            ])
        try auditEvent("token-created") { entry in
            entry.add(cause)
            entry.add("name", token.name)
            entry.add("role", token.role.rawValue)
            entry.add("sections", sections)
            entry.add("expires", token.expiresAt?.formatted(.iso8601))
            entry.add("record", Self.record(of: token))
        }
        return true
    }

    func revokeToken(_ name: String, by cause: Cause) throws -> Bool {
        try db.execute(sql: "DELETE FROM token WHERE name = ?", arguments: [name])
        guard db.changesCount == 1 else { return false }
        try auditEvent("token-revoked") { entry in
            entry.add(cause)
            entry.add("name", name)
        }
        return true
    }

    func noteUse(of tokens: [String: Date]) throws {
        let update = try db.cachedStatement(sql: "UPDATE token SET used_at = ? WHERE name = ?")
        for (name, time) in tokens { try update.execute(arguments: [time.timeIntervalSinceReferenceDate, name]) }
    }

    /// SHA-256 over the columns `name sha256 role sections made_by made_at expires_at`, in the manner of an attempt's record.
    private static func record(of token: StoredToken) -> String {
        var hash = SHA256()
        func add(_ bytes: [UInt8]?) {
            withUnsafeBytes(of: bytes.map { UInt32(clamping: $0.count).bigEndian } ?? .max) { hash.update(bufferPointer: $0) }
            hash.update(data: bytes ?? [])
        }
        func add(_ text: String?) { add(text.map { Array($0.utf8) }) }
        func add(_ time: Date?) { add(time.map { String($0.timeIntervalSinceReferenceDate.bitPattern, radix: 16) }) }
        add(token.name)
        add(token.digest)
        add(token.role.rawValue)
        add(token.sections?.joined(separator: ","))
        add(token.madeBy)
        add(token.madeAt)
        add(token.expiresAt)
        return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
