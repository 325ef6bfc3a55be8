/// The history, held against what the entries say of it.
extension Examination {
    mutating func examineHistory(_ database: EvidenceDatabase) throws {
        let digests = try examineDocuments(database)
        var names: [Int64: [UInt8]] = [:]
        try database.query("SELECT id, text FROM name NOT INDEXED ORDER BY id") { row in
            guard let id = row.integer(0), id >= 1, let text = row.text(1) else {
                throw found(.modified, "a document's name is not what was written")
            }
            names[id] = text
            return true
        }
        var hash = RecordHash(names: names, digests: digests)
        var seen: Set<Int64> = []
        var newestOld: Int64 = 0
        try database.query("SELECT \(RecordHash.columns), \(Control.columns) FROM attempt NOT INDEXED ORDER BY id") { row in
            guard let id = row.integer(0), id >= 1 else { throw found(.modified, "the history holds a candidate whose id no Plue gives") }
            guard let record = hash.of(row), let control = Control(row) else {
                throw found(.modified, "the history of candidate \(id) is not what was written")
            }
            attempts += 1
            seen.insert(id)
            if let candidate = candidates[id] {
                try examine(id, candidate, isUnderWay: row.isNull(RecordHash.outcome), record, control)
            } else {
                guard id <= candidates.beginning else {
                    throw found(.modified, "the history holds candidate \(id), which no entry tells of")
                }
                // Older than the log, which says nothing of it but this: it is before what follows, and over.
                if let version = row.integer(RecordHash.version) {
                    guard version > newestOld, version < candidates.firstVersion ?? .max else {
                        throw found(.modified, "version \(version), which is older than the log, is not before what follows")
                    }
                    newestOld = version
                }
                guard !row.isNull(RecordHash.outcome), !control.isUnrestored, control.confirmBy == nil else {
                    throw found(.modified, "candidate \(id), which is older than the log, is not over")
                }
            }
            return true
        }
        if let gone = candidates.firstMissing(seen.contains) { throw found(.gap, "candidate \(gone) is missing from the history") }
        if let odd = digests.keys.filter({ !hash.usedDocuments.contains($0) }).min() {
            throw found(.modified, "document \(odd) belongs to no candidate")
        }
        if let odd = names.keys.filter({ !hash.usedNames.contains($0) }).min() {
            throw found(.modified, "name \(odd) belongs to no candidate")
        }
        try examineCounter(database)
    }

    private func examine(_ id: Int64, _ candidate: Candidates.Candidate, isUnderWay: Bool, _ record: String, _ control: Control) throws {
        switch candidate.state {
        case .pruned: throw found(.modified, "the history holds candidate \(id), which was pruned")
        case .underWay where !isUnderWay: throw found(.modified, "the history holds candidate \(id) in a state that no entry tells of")
        case .underWay, .concluded: break
        }
        guard record == candidate.record else { throw found(.modified, "the history of candidate \(id) is not what was written") }
        guard control.follows(from: candidate, id, newest: candidates.newestVersion?.id, waits: candidates.isWaiting(id)) else {
            throw found(.modified, "candidate \(id) waits for, or is done with, what no entry tells of")
        }
    }

    /// The last id that was given; it must not be given twice.
    private func examineCounter(_ database: EvidenceDatabase) throws {
        var last: Int64?
        var hasProposals = false
        try database.query("SELECT name, seq FROM sqlite_sequence NOT INDEXED") { row in
            // How many proposals there were, nothing is derived from.
            if !hasProposals, row.text(0) == Array("proposal".utf8), row.integer(1) != nil {
                hasProposals = true
                return true
            }
            guard last == nil, row.text(0) == Array("attempt".utf8), let number = row.integer(1) else {
                throw found(.modified, "the number of the last candidate is not what was written")
            }
            last = number
            return true
        }
        guard last ?? 0 == candidates.highest else {
            throw found(.modified, "the number of the last candidate is \(last ?? 0), but entries tell of \(candidates.highest)")
        }
    }

    /// Each document built from its parts, and what it is called by.
    private mutating func examineDocuments(_ database: EvidenceDatabase) throws -> [Int64: [UInt8]] {
        var digests: [Int64: [UInt8]] = [:]
        var stored = StoredDocuments(database)
        do {
            try database.query("SELECT \(StoredDocuments.columns) FROM document NOT INDEXED ORDER BY id") { row in
                let (id, digest) = try stored.examine(row)
                digests[id] = digest
                return true
            }
        } catch let problem as StoredDocuments.Problem {
            throw found(.modified, "document \(problem.what)")
        }
        documents = digests.count
        return digests
    }
}

/// The columns of a candidate that change after its outcome, which is why no hash covers them: what they hold follows from entries.
private struct Control {
    static let columns = "times, last_at, unrestored, confirm_by"

    let times: Int64
    let lastAt: Double?
    let isUnrestored: Bool
    let confirmBy: Double?

    /// `nil` for a row that holds what no Plue writes.
    init?(_ row: EvidenceDatabase.Row) {
        let first = RecordHash.count
        guard let times = row.integer(first), times >= 1, let unrestored = row.integer(first + 2), unrestored == 0 || unrestored == 1,
            row.isNull(first + 1) || row.double(first + 1) != nil, row.isNull(first + 3) || row.double(first + 3) != nil
        else { return nil }
        self.times = times
        lastAt = row.double(first + 1)
        isUnrestored = unrestored == 1
        confirmBy = row.double(first + 3)
    }

    /// Whether this is what the entries of a candidate come to.
    func follows(
        from candidate: Candidates.Candidate, _ id: Int64, newest: Int64?, waits: Bool
    ) -> Bool {
        // Once it was met again there is a last time, and the number doubles at most until the next entry.
        guard times >= candidate.times, times - candidate.times < candidate.times, (lastAt == nil) == (times == 1) else { return false }
        // A later version settles what was left of an earlier candidate.
        let isSettled = id < newest ?? 0
        guard isUnrestored == candidate.isUnrestored || (isSettled && !isUnrestored) else { return false }
        guard candidate.version != nil else { return confirmBy == nil || confirmBy == candidate.confirmBy }
        return confirmBy == (waits ? candidate.confirmBy : nil)
    }
}
