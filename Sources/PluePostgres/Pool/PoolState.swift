/// Who gets which connection, when one is opened and when one goes. Decides, and does nothing: ``PoolRunner`` does.
///
/// The pool has one *line* of connections for each login that has not ended yet: the live one; beside it one that is being
/// proven, or that was replaced and may still come back. Whoever waits, waits for the pool: after a swap they get a connection of
/// the new login.
///
/// Lines to one server share its places. Who wants to open a connection where no place is left has idle ones of lines that matter
/// less closed: a proof before the live line, the live line before those that were replaced.
struct PoolState {
    typealias Line = UInt64
    typealias Connection = UInt64
    typealias Waiter = UInt64

    struct Timing: Hashable {
        /// A connection that was silent for so long is asked whether it is still there.
        var checkAfter: Duration = .seconds(30)
        /// A connection that nobody needed for so long goes, down to the minimum.
        var expireAfter: Duration = .seconds(300)
        /// For how long the server's places are believed to be as they were counted.
        var placesLast: Duration = .seconds(60)
        /// Who finds no place, where nobody could count them for so long, tries to open a connection all the same.
        var probeAfter: Duration = .seconds(2)
        var firstRetry: Duration = .milliseconds(100)
        var longestRetry: Duration = .seconds(10)

        init() {}
    }

    enum Action: Hashable {
        case open(Line)
        /// The line's proof has a place: its first connection may be opened.
        case admit(Line)
        case retry(Line, after: Duration)
        case lend(Connection, to: Waiter)
        case refuse(Waiter, PostgresError)
        case reset(Connection)
        case check(Connection)
        case close(Connection)
        /// No connection of the line is left.
        case drained(Line)
    }

    /// A connection that nobody has.
    struct Idle: Hashable {
        let connection: Connection
        /// When it was last used.
        var since: Instant
        /// When it was last heard of.
        var heard: Instant
    }

    private struct Connections {
        let scopes: [PlaceScope]
        var size: Size
        /// Longest unused first; lent from the end.
        var idle: [Idle] = []
        var leased: Set<Connection> = []
        /// Being reset; back in a moment.
        var resetting: Set<Connection> = []
        /// Asked whether they are there, which may take until the deadline.
        var checking: [Connection: Idle] = [:]
        var closing: Set<Connection> = []
        var opening = 0
        var stage = Stage.proving
        /// The proof waits for a place.
        var asksForPlace = false
        var failures = 0
        var retryAt: Instant?
        /// When it asks for a place where none was known to be.
        var probeAt: Instant?
        var mayProbe = false
        /// When the server's places were counted last, known or not.
        var counted: Instant?
        var isEnding = false

        var count: Int { idle.count + leased.count + resetting.count + checking.count + opening }
        /// The server's places that are taken: what closes has its place until the server has noticed.
        var used: Int { count + closing.count }
    }

    private enum Stage {
        case proving, ready
        /// Has been live, and another took its place.
        case replaced
    }

    struct Size: Hashable {
        var min: Int
        var max: Int
    }

    private let timing: Timing
    private let mostWaiting: Int
    private var lines: [Line: Connections] = [:]
    private var lineOf: [Connection: Line] = [:]
    private(set) var live: Line?
    private var waiting: [Waiter] = []
    private var lastNumber: UInt64 = 0
    /// How many connections this pool may have there, as far as is known.
    private var places: [PlaceScope: (count: Int, at: Instant)] = [:]

    init(timing: Timing = Timing(), mostWaiting: Int = 1000) {
        self.timing = timing
        self.mostWaiting = mostWaiting
    }

    private mutating func next() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    // MARK: - Lines

    /// A new line, whose login is to be proven.
    mutating func addLine(_ scopes: [PlaceScope], _ size: Size) -> Line {
        let line = next()
        lines[line] = Connections(scopes: scopes, size: size)
        return line
    }

    /// The proof wants to open a connection; it may when ``Action/admit(_:)`` comes.
    mutating func askForProof(of line: Line, at now: Instant) -> [Action] {
        lines[line]?.asksForPlace = true
        return pump(now)
    }

    /// The line's first connection has proven the login.
    mutating func proved(_ line: Line, by connection: Connection, at now: Instant) -> [Action] {
        guard lines[line]?.stage == .proving else { return ready(connection, at: now) }
        lines[line]?.stage = .ready
        return ready(connection, at: now)
    }

    /// The login could not be proven, and is used nevertheless.
    mutating func goWithoutProof(_ line: Line, at now: Instant) -> [Action] {
        lines[line]?.stage = .ready
        return []
    }

    /// Makes a line the one that connections are lent from.
    mutating func activate(_ line: Line, _ size: Size, at now: Instant) -> [Action] {
        guard lines[line] != nil else { return deactivate(because: .retired) }
        if let live, live != line { lines[live]?.stage = .replaced }
        live = line
        lines[line]?.stage = .ready
        lines[line]?.size = size
        var actions: [Action] = []
        while let waiter = waiting.first, let idle = lines[line]?.idle.popLast() {
            waiting.removeFirst()
            lines[line]?.leased.insert(idle.connection)
            actions.append(.lend(idle.connection, to: waiter))
        }
        return actions + shrink(line) + pump(now)
    }

    /// Lends no connections any more, and tells those who wait why.
    mutating func deactivate(because reason: PostgresError) -> [Action] {
        if let live { lines[live]?.stage = .replaced }
        live = nil
        defer { waiting = [] }
        return waiting.map { .refuse($0, reason) }
    }

    /// Nothing of the line is to be left: what is idle closes now, what is used when it comes back.
    mutating func end(_ line: Line, at now: Instant) -> [Action] {
        guard lines[line] != nil else { return [.drained(line)] }
        let refused = live == line ? deactivate(because: .retired) : []
        lines[line]?.isEnding = true
        lines[line]?.size = Size(min: 0, max: 0)
        return refused + shrink(line) + drainedOrPump(line, now)
    }

    func isDrained(_ line: Line) -> Bool { (lines[line]?.used ?? 0) == 0 }

    /// Forgets a line, whatever is left of it.
    mutating func forget(_ line: Line, at now: Instant) -> [Action] {
        lines[line] = nil
        lineOf = lineOf.filter { $0.value != line }
        if live == line { live = nil }
        places = places.filter { scope, _ in lines.values.contains { $0.scopes.contains(scope) } }
        return pump(now)
    }

    // MARK: - Leases

    enum Lease: Hashable {
        case lent(Idle)
        case queued(Waiter)
    }

    mutating func request(at now: Instant) throws(PostgresError) -> (Lease, [Action]) {
        guard let live else { throw .noDatabase }
        if let idle = lines[live]?.idle.popLast() {
            lines[live]?.leased.insert(idle.connection)
            return (.lent(idle), [])
        }
        guard waiting.count < mostWaiting else { throw .tooManyWaiting(limit: mostWaiting) }
        let waiter = next()
        waiting.append(waiter)
        return (.queued(waiter), pump(now))
    }

    /// Somebody waits no longer.
    mutating func leave(_ waiter: Waiter) { waiting.removeAll { $0 == waiter } }

    /// A connection comes back from its user, or was never used: it is reset, or closed when it is of no use.
    mutating func giveBack(_ connection: Connection, isUsable: Bool, at now: Instant) -> [Action] {
        guard let line = lineOf[connection], lines[line]?.leased.remove(connection) != nil else { return [] }
        guard isUsable, hasRoom(line, now) else { return close(connection, of: line) + drainedOrPump(line, now) }
        lines[line]?.resetting.insert(connection)
        return [.reset(connection)]
    }

    /// A connection can be lent: it was opened, reset, or has answered.
    mutating func ready(_ connection: Connection, at now: Instant) -> [Action] {
        guard let line = lineOf[connection], var idle = take(connection, from: line, now) else { return [] }
        guard hasRoom(line, now) else { return close(connection, of: line) + drainedOrPump(line, now) }
        if line == live, !waiting.isEmpty {
            let waiter = waiting.removeFirst()
            lines[line]?.leased.insert(connection)
            return [.lend(connection, to: waiter)]
        }
        idle.heard = now
        lines[line]?.idle.append(idle)
        return pump(now)
    }

    /// A connection does not do what it should.
    mutating func failed(_ connection: Connection, at now: Instant) -> [Action] {
        guard let line = lineOf[connection], take(connection, from: line, now) != nil else { return [] }
        return close(connection, of: line) + drainedOrPump(line, now)
    }

    /// Takes a connection that was not at anybody's hands out of wherever it was.
    private mutating func take(_ connection: Connection, from line: Line, _ now: Instant) -> Idle? {
        if let idle = lines[line]?.checking.removeValue(forKey: connection) { return idle }
        guard lines[line]?.resetting.remove(connection) != nil else { return nil }
        return Idle(connection: connection, since: now, heard: now)
    }

    // MARK: - Opening and closing

    /// A connection was opened; it is lent once it is ``ready(_:at:)``.
    /// - Returns: Its number; `nil` when there is no use for it any more. Close it then, and say that the opening failed.
    mutating func opened(_ line: Line) -> Connection? {
        guard lines[line]?.isEnding == false else { return nil }
        lines[line]?.opening -= 1
        lines[line]?.failures = 0
        lines[line]?.retryAt = nil
        let connection = next()
        lineOf[connection] = line
        lines[line]?.resetting.insert(connection)
        return connection
    }

    mutating func openingFailed(_ line: Line, at now: Instant) -> [Action] {
        lines[line]?.opening -= 1
        guard let connections = lines[line], !connections.isEnding else { return drainedOrPump(line, now) }
        // A proof asks again by itself, if it wants to.
        if connections.stage == .proving { return pump(now) }
        // Several fail together when the server is gone; one of them has set the time of the next try.
        if let retryAt = connections.retryAt, retryAt > now { return [] }
        let pause = min(timing.firstRetry * (1 << min(connections.failures, 20)), timing.longestRetry)
        lines[line]?.failures += 1
        lines[line]?.retryAt = now + pause
        return [.retry(line, after: pause)]
    }

    /// The pause after a failure, or before a probe, is over.
    mutating func retry(_ line: Line, at now: Instant) -> [Action] {
        guard let connections = lines[line] else { return [] }
        if let retryAt = connections.retryAt, retryAt <= now { lines[line]?.retryAt = nil }
        if let probeAt = connections.probeAt, probeAt <= now {
            lines[line]?.probeAt = nil
            lines[line]?.mayProbe = connections.scopes.allSatisfy { scope in
                places[scope].map { $0.at.duration(to: now) >= timing.probeAfter } ?? true
            }
        }
        let actions = pump(now)
        lines[line]?.mayProbe = false
        return actions
    }

    mutating func closed(_ connection: Connection, at now: Instant) -> [Action] {
        guard let line = lineOf.removeValue(forKey: connection) else { return [] }
        lines[line]?.closing.remove(connection)
        return drainedOrPump(line, now)
    }

    /// Closes an idle connection of any other line: the server is full, although by what is known it is not.
    mutating func makeWay(for line: Line) -> [Action] {
        let candidates = lines.filter { $0.key != line && rank($0.key) <= rank(line) }.flatMap { entry in
            entry.value.idle.map { (idle: $0, line: entry.key) }
        }
        guard let oldest = candidates.min(by: { $0.idle.since < $1.idle.since }) else { return [] }
        lines[oldest.line]?.idle.removeAll { $0 == oldest.idle }
        return close(oldest.idle.connection, of: oldest.line)
    }

    private mutating func close(_ connection: Connection, of line: Line) -> [Action] {
        lines[line]?.closing.insert(connection)
        return [.close(connection)]
    }

    /// Closes idle connections that are too many now.
    private mutating func shrink(_ line: Line) -> [Action] {
        guard let connections = lines[line] else { return [] }
        let surplus = connections.idle.prefix(max(0, connections.count - connections.size.max)).map(\.connection)
        lines[line]?.idle.removeFirst(surplus.count)
        return surplus.flatMap { close($0, of: line) }
    }

    private mutating func drainedOrPump(_ line: Line, _ now: Instant) -> [Action] {
        let isDrained = lines[line].map { $0.isEnding && $0.used == 0 } ?? false
        return (isDrained ? [.drained(line)] : []) + pump(now)
    }

    // MARK: - Time

    /// Has the silent asked whether they are there, and lets the unused go.
    mutating func tick(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        for line in lines.keys.sorted() {
            guard var connections = lines[line], !connections.isEnding else { continue }
            let unused = connections.idle.prefix(max(0, connections.count - connections.size.min))
                .prefix { $0.since.duration(to: now) > timing.expireAfter }.map(\.connection)
            connections.idle.removeFirst(unused.count)
            let silent = connections.idle.filter { $0.heard.duration(to: now) > timing.checkAfter }
            connections.idle.removeAll { silent.contains($0) }
            for idle in silent { connections.checking[idle.connection] = idle }
            lines[line] = connections
            actions += unused.flatMap { close($0, of: line) } + silent.map { .check($0.connection) }
        }
        return actions + pump(now)
    }

    // MARK: - The server's places

    /// The server was asked how many connections this pool may have there.
    /// - Parameter counts: Empty when it does not know.
    mutating func learn(_ counts: [PlaceScope: Int], for line: Line, at now: Instant) -> [Action] {
        lines[line]?.counted = now
        for (scope, count) in counts { places[scope] = (count, now) }
        return pump(now)
    }

    /// Whether the places should be counted anew: somebody wants one and there is none, or nobody has counted for long.
    func wantsCount(_ line: Line, at now: Instant) -> Bool {
        guard let counted = lines[line]?.counted else { return true }
        let age = counted.duration(to: now)
        return age > timing.placesLast / 2 || age > .seconds(1) && lines.keys.contains { wanted($0, now) > 0 }
    }

    /// `nil` where no limit is known.
    private func free(_ scope: PlaceScope, _ now: Instant) -> Int? {
        guard let known = places[scope], known.at.duration(to: now) <= timing.placesLast else { return nil }
        return max(0, known.count - lines.values.reduce(0) { $1.scopes.contains(scope) ? $0 + $1.used : $0 })
    }

    /// Where a line finds no place.
    private func full(_ line: Line, _ now: Instant) -> [PlaceScope] {
        (lines[line]?.scopes ?? []).filter { free($0, now) == 0 }
    }

    private func rank(_ line: Line) -> Int {
        switch lines[line]?.stage {
        case .proving: 2
        case _ where line == live: 1
        default: 0
        }
    }

    /// How many connections a line should open now.
    private func wanted(_ line: Line, _ now: Instant) -> Int {
        guard let connections = lines[line], !connections.isEnding else { return 0 }
        if let retryAt = connections.retryAt, retryAt > now { return 0 }
        let room = connections.size.max - connections.used
        switch connections.stage {
        case .proving: return connections.asksForPlace ? 1 : 0
        case .replaced: return 0
        case .ready:
            let forWaiting = line == live ? waiting.count - connections.resetting.count - connections.opening : 0
            return max(0, min(max(forWaiting, connections.size.min - connections.count), room))
        }
    }

    /// Whether a connection that came back, and is not counted at this moment, may stay: it is not one too many, and nobody who
    /// matters more lacks its place.
    private func hasRoom(_ line: Line, _ now: Instant) -> Bool {
        guard let connections = lines[line], !connections.isEnding, connections.count < connections.size.max else { return false }
        return !lines.keys.contains { other in
            guard rank(other) > rank(line), let scopes = lines[other]?.scopes else { return false }
            let wanted = wanted(other, now)
            return wanted > 0
                && scopes.contains { scope in
                    guard connections.scopes.contains(scope), let free = free(scope, now) else { return false }
                    return closing(in: scope) + max(0, free - 1) < wanted
                }
        }
    }

    private func closing(in scope: PlaceScope) -> Int {
        lines.values.reduce(0) { $1.scopes.contains(scope) ? $0 + $1.closing.count : $0 }
    }

    /// Opens what is wanted and has a place, and makes places for what matters more.
    private mutating func pump(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        for line in lines.keys.sorted(by: { (rank($0), $1) > (rank($1), $0) }) {
            var wanted = wanted(line, now)
            while wanted > 0, full(line, now).isEmpty || lines[line]?.mayProbe == true {
                actions.append(lines[line]?.stage == .proving ? .admit(line) : .open(line))
                lines[line]?.asksForPlace = false
                lines[line]?.mayProbe = false
                lines[line]?.opening += 1
                wanted -= 1
            }
            if wanted > 0 {
                actions += evict(wanted, for: line, now)
                if lines[line]?.probeAt == nil {
                    lines[line]?.probeAt = now + timing.probeAfter
                    actions.append(.retry(line, after: timing.probeAfter))
                }
            }
        }
        return actions
    }

    private mutating func evict(_ count: Int, for line: Line, _ now: Instant) -> [Action] {
        var actions: [Action] = []
        for scope in full(line, now) {
            var missing = count - closing(in: scope)
            let others = lines.keys.filter { rank($0) < rank(line) && lines[$0]?.scopes.contains(scope) == true }
            for other in others.sorted(by: { (rank($0), $0) < (rank($1), $1) }) {
                while missing > 0, let oldest = lines[other]?.idle.first {
                    lines[other]?.idle.removeFirst()
                    actions += close(oldest.connection, of: other)
                    missing -= 1
                }
            }
        }
        return actions
    }

    // MARK: - For the status

    struct Counts: Hashable {
        var open = 0
        var idle = 0
        var leased = 0
        var opening = 0
        var waiting = 0
    }

    var counts: Counts {
        guard let live, let connections = lines[live] else { return Counts() }
        return Counts(
            open: connections.count - connections.opening, idle: connections.idle.count + connections.checking.count,
            leased: connections.leased.count, opening: connections.opening, waiting: waiting.count)
    }

    func line(of connection: Connection) -> Line? { lineOf[connection] }

    /// The connections of a line that are in somebody's hands.
    func leased(_ line: Line) -> Set<Connection> { lines[line]?.leased ?? [] }

    /// Whether all connections that there may be are with users.
    func isExhausted(_ now: Instant) -> Bool {
        guard let live, let connections = lines[live], !connections.leased.isEmpty, connections.idle.isEmpty else { return false }
        return connections.leased.count >= connections.size.max || !full(live, now).isEmpty
    }
}
