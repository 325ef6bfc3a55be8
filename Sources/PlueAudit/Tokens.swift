/// What the entries of a log say of the API tokens: which there are, and what each one's row has to hold.
struct Tokens {
    /// By name, the hash of the row.
    private(set) var records: [String: String] = [:]

    mutating func create(_ record: AuditRecord) throws(Candidates.Contradiction) {
        guard let name = record["name"], let row = record["record"] else { throw contradiction("names no token") }
        guard records.updateValue(row, forKey: name) == nil else { throw contradiction("makes a token that there is") }
        guard records.count <= Self.most else { throw contradiction("makes one token too many") }
    }

    mutating func revoke(_ record: AuditRecord) throws(Candidates.Contradiction) {
        guard let name = record["name"], records.removeValue(forKey: name) != nil else {
            throw contradiction("revokes a token that there is not")
        }
    }

    /// More than a Plue lets there be.
    private static let most = 100_000

    private func contradiction(_ what: String) -> Candidates.Contradiction { .init(isGap: false, what: what) }
}

/// The API tokens, held against what the entries say of them: a token that was slipped in, or came back after it was revoked, opens
/// every door.
extension Examination {
    func examineTokens(_ database: EvidenceDatabase) throws {
        var seen: Set<String> = []
        try database.query("SELECT name, sha256, role, sections, made_by, made_at, expires_at FROM token NOT INDEXED") { row in
            guard let name = row.text(0).flatMap({ String(validating: $0, as: UTF8.self) }), let record = Self.record(row) else {
                throw found(.modified, "a token is not what was written")
            }
            guard let expected = candidates.tokens.records[name] else {
                throw found(.modified, "there is a token '\(name)' that no entry tells of")
            }
            guard record == expected, seen.insert(name).inserted else {
                throw found(.modified, "the token '\(name)' is not what was written")
            }
            return true
        }
        if let gone = candidates.tokens.records.keys.filter({ !seen.contains($0) }).min() {
            throw found(.modified, "the token '\(gone)' is gone without being revoked")
        }
    }

    /// A token's row as one hash, as Documentation/audit.md describes it.
    private static func record(_ row: EvidenceDatabase.Row) -> String? {
        var parts = RecordHash.Parts()
        for column: Int32 in 0..<7 {
            switch column {
            case 3 where row.isNull(column), 6 where row.isNull(column): parts.addNothing()
            case 1:
                guard let bytes = row.blob(column) else { return nil }
                parts.add(bytes)
            case 5, 6:
                guard let time = row.double(column) else { return nil }
                parts.add(Array(String(time.bitPattern, radix: 16).utf8))
            default:
                guard let text = row.text(column) else { return nil }
                parts.add(text)
            }
        }
        return parts.digest
    }
}
