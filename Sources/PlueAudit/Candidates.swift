/// What the entries of a log say of the candidates, and with that what each one's row has to hold.
struct Candidates {
    struct Candidate {
        enum State { case underWay, concluded, pruned }

        var state: State
        /// The hash of its row, as far as the row does not change any more.
        var record: String
        /// Its number, once it is a version.
        var version: Int64?
        /// What it is of; each environment has its own version that waits.
        var environment: String?
        /// When it is taken back, unless it is confirmed.
        var confirmBy: Double?
        /// Whether what it wrote is still to be put back.
        var isUnrestored = false
        /// How often it was refused, rounded down to a power of two.
        var times: Int64 = 1
    }

    /// An entry that cannot follow the ones before it.
    struct Contradiction: Error {
        let isGap: Bool
        /// After "entry N".
        let what: String
    }

    /// Candidates up to this one are older than the log.
    private(set) var beginning: Int64 = 0
    /// Those that follow, one for each id.
    private var all: [Candidate] = []
    /// Older ones that were under way when the log began.
    private var early: [Int64: Candidate] = [:]
    private(set) var newestVersion: (number: Int64, id: Int64)?
    /// By environment, the candidate whose version waits to be confirmed.
    private var waiting: [String: Int64] = [:]
    /// The first version that the log tells of.
    private(set) var firstVersion: Int64?
    /// Without an outcome so far.
    private var underWay: Set<Int64> = []
    /// Those that a process which starts has to end before it does anything else.
    private var due: Set<Int64> = []
    /// The API tokens that there have to be.
    private(set) var tokens = Tokens()

    /// The highest id there is.
    var highest: Int64 { beginning + Int64(all.count) }

    subscript(id: Int64) -> Candidate? {
        get { id > beginning ? (id <= highest ? all[Int(id - beginning) - 1] : nil) : early[id] }
        set {
            if id <= beginning {
                early[id] = newValue
            } else if id <= highest, let newValue {
                all[Int(id - beginning) - 1] = newValue
            }
        }
    }

    /// Whether a candidate is a version that waits to be confirmed.
    func isWaiting(_ id: Int64) -> Bool { waiting.values.contains(id) }

    /// The lowest id that was neither seen nor pruned.
    func firstMissing(_ seen: (Int64) -> Bool) -> Int64? {
        let missing = early.keys.filter { early[$0]?.state != .pruned && !seen($0) }.min()
        return missing
            ?? all.indices.first { all[$0].state != .pruned && !seen(beginning + Int64($0) + 1) }.map { beginning + Int64($0) + 1 }
    }

    // MARK: - Entry by entry

    mutating func note(_ record: AuditRecord) throws(Contradiction) {
        let action = record["action"]
        if !due.isEmpty, action != "outcome" { throw unfinished }
        guard (action == "beginning") == (record.number == 1) else { throw contradiction("is not where a log begins") }
        switch action {
        case "beginning":
            guard let after = integer(record, "after"), after >= 0, after < .max / 2 else {
                throw contradiction("does not say what it begins after")
            }
            beginning = after
        case "opening": due = underWay
        case "intent": try intent(record)
        case "outcome": try outcome(record)
        case "rejection":
            try add(record, Candidate(state: .concluded, record: record["record"] ?? ""))
        case "repetition":
            guard let id = integer(record, "attempt") else { throw contradiction("names no candidate") }
            guard var candidate = self[id] else { return }
            guard let times = integer(record, "times"), times == candidate.times.multipliedReportingOverflow(by: 2).partialValue else {
                throw contradiction("counts what was not counted before")
            }
            candidate.times = times
            self[id] = candidate
        case "restored":
            guard let id = integer(record, "attempt") else { throw contradiction("names no candidate") }
            self[id]?.isUnrestored = false
        case "confirmation":
            guard let version = integer(record, "version") else { throw contradiction("names no version") }
            waiting = waiting.filter { self[$0.value]?.version != version }
        case "pruning": try pruning(record)
        case "token-created": try tokens.create(record)
        case "token-revoked": try tokens.revoke(record)
        case "closing", "heartbeat", "restoring", "clock-jump", "policy", "reveal", "keys", "proposal", "approval", "withdrawal",
            "sign-in", "denial", "failed-login":
            break
        default: throw contradiction("tells of what no Plue does")
        }
    }

    /// Nothing may be left that the last opening had to end.
    func end() throws(Contradiction) { if !due.isEmpty { throw unfinished } }

    private mutating func intent(_ record: AuditRecord) throws(Contradiction) {
        var candidate = Candidate(state: .underWay, record: record["record"] ?? "")
        candidate.isUnrestored = record["writes"] != nil
        if let text = record["confirm-by"] {
            guard let time = Double(text) else { throw contradiction("names no time to confirm by") }
            candidate.confirmBy = time
        }
        candidate.environment = record["environment"]
        try add(record, candidate)
        underWay.insert(highest)
    }

    private mutating func outcome(_ record: AuditRecord) throws(Contradiction) {
        guard let id = integer(record, "attempt"), id >= 1, id <= beginning || underWay.remove(id) != nil else {
            throw contradiction("tells of a candidate that is not under way")
        }
        due.remove(id)
        var candidate = self[id] ?? Candidate(state: .concluded, record: "")
        candidate.state = .concluded
        candidate.record = record["record"] ?? ""
        candidate.isUnrestored = record["unrestored"] == "1"
        candidate.version = integer(record, "version")
        if let version = candidate.version {
            guard version >= 1, version - 1 == newestVersion?.number ?? (beginning == 0 ? 0 : version - 1) else {
                throw contradiction("tells of a version whose number is not the next one")
            }
            newestVersion = (version, id)
            // It takes the place of the one of its environment that waited.
            waiting[candidate.environment ?? ""] = candidate.confirmBy == nil ? nil : id
            firstVersion = firstVersion ?? version
        }
        self[id] = candidate
        guard early.count <= Self.mostEarly else { throw contradiction("is one too many of candidates that are older than the log") }
    }

    /// A process has one or two under way.
    private static let mostEarly = 64

    /// Ids are given one after the other, and each is told of.
    private mutating func add(_ record: AuditRecord, _ candidate: Candidate) throws(Contradiction) {
        guard integer(record, "attempt") == highest + 1 else { throw contradiction("tells of a candidate whose id is not the next one") }
        all.append(candidate)
    }

    private mutating func pruning(_ record: AuditRecord) throws(Contradiction) {
        for range in (record["attempts"] ?? "").split(separator: ",", omittingEmptySubsequences: false) {
            let ends = range.split(separator: "-", omittingEmptySubsequences: false).map { Int64($0) }
            guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil, first >= 1, first <= last, last <= highest
            else {
                throw contradiction("names no candidates that could be pruned")
            }
            // Each can be pruned once, so that all the ranges together are no more than what was told of.
            for id in max(first, beginning + 1)..<max(first, beginning + 1, last + 1) {
                guard self[id]?.state == .concluded else { throw contradiction("names candidate \(id), which could not be pruned") }
                self[id]?.state = .pruned
            }
            for id in early.keys where id >= first && id <= last { early[id]?.state = .pruned }
        }
    }

    private func integer(_ record: AuditRecord, _ name: String) -> Int64? { record[name].flatMap { Int64($0) } }

    private func contradiction(_ what: String) -> Contradiction { Contradiction(isGap: false, what: what) }

    private var unfinished: Contradiction {
        Contradiction(isGap: true, what: "the outcome of candidate \(due.min() ?? 0), which a process that started told of, is missing")
    }
}
