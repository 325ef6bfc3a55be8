import TestGround
import Testing

@testable import PluePostgres

/// What is decided, as a script: nothing is opened, nobody sleeps.
@Suite("The pool's decisions")
struct PoolStateTests {
    /// A state, and the time as the script has it.
    private struct Script {
        var state: PoolState
        private(set) var now = ContinuousClock.now

        init(mostWaiting: Int = 1000) { state = PoolState(mostWaiting: mostWaiting) }

        mutating func wait(_ time: Duration) { now += time }

        /// A live line with so many idle connections.
        mutating func live(_ size: PoolState.Size, idle: Int = 0, _ scopes: [PlaceScope] = [server]) -> (
            PoolState.Line, [PoolState.Connection]
        ) {
            let line = state.addLine(scopes, size)
            #expect(state.askForProof(of: line, at: now) == [.admit(line)])
            let first = open(line)
            #expect(state.proved(line, by: first, at: now).allSatisfy { $0 == .open(line) })
            _ = state.activate(line, size, at: now)
            var connections = [first]
            let waiters = (0..<idle).compactMap { _ in request().waiter }
            while connections.count < idle {
                let next = open(line)
                _ = state.ready(next, at: now)
                connections.append(next)
            }
            for connection in connections.prefix(max(1, waiters.count + 1)) {
                _ = state.giveBack(connection, isUsable: true, at: now)
                _ = state.ready(connection, at: now)
            }
            return (line, connections)
        }

        mutating func open(_ line: PoolState.Line) -> PoolState.Connection {
            state.opened(line) ?? 0
        }

        /// Asks for a connection; what is lent, or who waits, and what else is to be done.
        mutating func request() -> (lent: PoolState.Connection?, waiter: PoolState.Waiter?, actions: [PoolState.Action]) {
            guard let (lease, actions) = try? state.request(at: now) else { return (nil, nil, []) }
            switch lease {
            case .lent(let idle): return (idle.connection, nil, actions)
            case .queued(let waiter): return (nil, waiter, actions)
            }
        }
    }

    @Test("what is idle is lent, the last used first; then connections are opened for those who wait, up to the size")
    func leases() {
        var script = Script()
        let (line, connections) = script.live(.init(min: 0, max: 3), idle: 2)
        #expect(script.state.counts == .init(open: 2, idle: 2))
        #expect(Set([script.request().lent, script.request().lent]) == Set(connections))
        let third = script.request()
        #expect(third.actions == [.open(line)])
        // There is room for no more: this one waits for whatever comes back first.
        let fourth = script.request()
        #expect(fourth.actions.isEmpty)
        #expect(script.state.giveBack(connections[0], isUsable: true, at: script.now) == [.reset(connections[0])])
        #expect(script.state.ready(connections[0], at: script.now) == [.lend(connections[0], to: third.waiter ?? 0)])
        let opened = script.open(line)
        #expect(script.state.ready(opened, at: script.now) == [.lend(opened, to: fourth.waiter ?? 0)])
        #expect(script.state.counts == .init(open: 3, leased: 3))
    }

    @Test("nothing is opened for somebody who is served by a connection that is being reset")
    func resetting() {
        var script = Script()
        let (_, connections) = script.live(.init(min: 0, max: 3), idle: 1)
        #expect(script.request().lent == connections[0])
        _ = script.state.giveBack(connections[0], isUsable: true, at: script.now)
        #expect(script.request().actions.isEmpty)
    }

    @Test("so many may wait, and no more")
    func bound() throws {
        var script = Script(mostWaiting: 2)
        _ = script.live(.init(min: 0, max: 1), idle: 1)
        _ = script.request()
        let waiters = [script.request().waiter, script.request().waiter]
        #expect(throws: PostgresError.tooManyWaiting(limit: 2)) { try script.state.request(at: script.now) }
        script.state.leave(try #require(waiters[0]))
        #expect(script.request().waiter != nil)
    }

    @Test("a broken connection goes, and another is opened if somebody waits or the minimum asks for it")
    func broken() {
        var script = Script()
        let (line, connections) = script.live(.init(min: 1, max: 1), idle: 1)
        #expect(script.request().lent == connections[0])
        #expect(script.state.giveBack(connections[0], isUsable: false, at: script.now) == [.close(connections[0])])
        // It has its place until it is closed.
        #expect(script.request().actions.isEmpty)
        #expect(script.state.closed(connections[0], at: script.now) == [.open(line)])
    }

    @Test("failed openings are tried again after longer and longer pauses, one for all of them")
    func retries() {
        var script = Script()
        let (line, connections) = script.live(.init(min: 0, max: 4), idle: 1)
        #expect(script.request().lent == connections[0])
        #expect(script.request().actions == [.open(line)])
        #expect(script.request().actions == [.open(line)])
        #expect(script.state.openingFailed(line, at: script.now) == [.retry(line, after: .milliseconds(100))])
        #expect(script.state.openingFailed(line, at: script.now).isEmpty)
        // Nobody opens meanwhile.
        #expect(script.request().actions.isEmpty)
        var pauses: [Duration] = []
        for _ in 0..<10 {
            script.wait(.seconds(20))
            #expect(script.state.retry(line, at: script.now).first == .open(line))
            guard case .retry(_, let pause) = script.state.openingFailed(line, at: script.now).first else { break }
            pauses.append(pause)
            for _ in 0..<2 { _ = script.state.openingFailed(line, at: script.now) }
        }
        #expect(pauses.prefix(4) == [.milliseconds(200), .milliseconds(400), .milliseconds(800), .milliseconds(1600)])
        #expect(pauses.last == .seconds(10))
        // One that succeeds clears the account.
        script.wait(.seconds(20))
        _ = script.state.retry(line, at: script.now)
        _ = script.state.ready(script.open(line), at: script.now)
        #expect(script.state.openingFailed(line, at: script.now) == [.retry(line, after: .milliseconds(100))])
    }

    @Test("a swap lends from the new line at once, to those who waited first; the old one keeps what it has until it ends")
    func swap() {
        var script = Script()
        let (old, connections) = script.live(.init(min: 2, max: 2), idle: 2)
        #expect(script.request().lent != nil)
        #expect(script.request().lent != nil)
        let waiter = script.request().waiter
        let next = script.state.addLine([server], .init(min: 1, max: 2))
        #expect(script.state.askForProof(of: next, at: script.now) == [.admit(next)])
        let proof = script.open(next)
        #expect(script.state.proved(next, by: proof, at: script.now).isEmpty)
        #expect(script.state.activate(next, .init(min: 1, max: 2), at: script.now) == [.lend(proof, to: waiter ?? 0)])
        // Back to the old one, with the connections that were.
        #expect(script.state.giveBack(connections[0], isUsable: true, at: script.now) == [.reset(connections[0])])
        #expect(script.state.ready(connections[0], at: script.now).isEmpty)
        _ = script.state.activate(old, .init(min: 2, max: 2), at: script.now)
        #expect(script.request().lent == connections[0])
        // The end of the other: what is used goes when it comes back.
        #expect(script.state.end(next, at: script.now).isEmpty)
        #expect(script.state.giveBack(proof, isUsable: true, at: script.now) == [.close(proof)])
        #expect(script.state.closed(proof, at: script.now) == [.drained(next)])
        #expect(script.state.isDrained(next))
    }

    @Test("one login's places are taken from idle connections of the one before, oldest first, and only as many as are missing")
    func places() {
        var script = Script()
        let (old, connections) = script.live(.init(min: 0, max: 4), idle: 4)
        #expect(script.state.learn([server: 4], for: old, at: script.now).isEmpty)
        let next = script.state.addLine([server], .init(min: 0, max: 4))
        let actions = script.state.askForProof(of: next, at: script.now)
        #expect(actions.count == 2)
        guard case .close(let closing) = actions.first else { return }
        #expect(connections.contains(closing))
        // Nothing is opened before the server has the place back.
        #expect(script.state.closed(closing, at: script.now) == [.admit(next)])
        let proof = script.open(next)
        _ = script.state.proved(next, by: proof, at: script.now)
        _ = script.state.activate(next, .init(min: 0, max: 4), at: script.now)
        #expect(script.request().lent == proof)
        let waiting = [script.request(), script.request()]
        #expect(waiting.allSatisfy { request in request.actions.contains { if case .close = $0 { true } else { false } } })
        #expect(script.state.counts.opening == 0)
    }

    @Test("with all connections in use, the first that comes back makes place for the proof; the next one stays")
    func placeForProof() {
        var script = Script()
        let (old, connections) = script.live(.init(min: 0, max: 2), idle: 2)
        _ = script.state.learn([server: 2], for: old, at: script.now)
        for _ in 0..<2 { #expect(script.request().lent != nil) }
        _ = script.request()
        let next = script.state.addLine([server], .init(min: 0, max: 2))
        #expect(!script.state.askForProof(of: next, at: script.now).contains(.admit(next)))
        #expect(script.state.giveBack(connections[0], isUsable: true, at: script.now).first == .close(connections[0]))
        #expect(script.state.giveBack(connections[1], isUsable: true, at: script.now) == [.reset(connections[1])])
        #expect(script.state.closed(connections[0], at: script.now).first == .admit(next))
    }

    @Test("what others have is left to them, until nobody knows of it any more")
    func others() {
        var script = Script()
        let (line, connections) = script.live(.init(min: 0, max: 10), idle: 1)
        _ = script.state.learn([server: 1], for: line, at: script.now)
        #expect(script.request().lent == connections[0])
        #expect(script.request().actions == [.retry(line, after: .seconds(2))])
        script.wait(.seconds(2))
        // Nobody could count: one connection is tried, for all who wait.
        _ = script.request()
        #expect(script.state.retry(line, at: script.now).filter { $0 == .open(line) }.count == 1)
        script.wait(.seconds(61))
        #expect(script.request().actions.filter { $0 == .open(line) }.count == 2)
    }

    @Test("another server's places are another matter")
    func otherServer() {
        var script = Script()
        let (line, _) = script.live(.init(min: 0, max: 2), idle: 2)
        _ = script.state.learn([server: 2], for: line, at: script.now)
        let next = script.state.addLine([.server("other:5432")], .init(min: 0, max: 2))
        #expect(script.state.askForProof(of: next, at: script.now) == [.admit(next)])
    }

    @Test("a smaller size closes what is idle now and what is used later")
    func shrink() {
        var script = Script()
        let (line, connections) = script.live(.init(min: 0, max: 4), idle: 4)
        let used = script.request().lent ?? 0
        let actions = script.state.activate(line, .init(min: 0, max: 2), at: script.now)
        #expect(actions.count == 2)
        #expect(!actions.contains(.close(used)))
        #expect(script.state.counts == .init(open: 2, idle: 1, leased: 1))
        _ = script.state.activate(line, .init(min: 0, max: 1), at: script.now)
        #expect(script.state.counts == .init(open: 1, leased: 1))
        #expect(script.state.giveBack(used, isUsable: true, at: script.now) == [.reset(used)])
        #expect(connections.count == 4)
    }

    @Test("the silent are asked, the unused go down to the minimum")
    func ticks() {
        var script = Script()
        let (_, connections) = script.live(.init(min: 1, max: 3), idle: 3)
        script.wait(.seconds(31))
        #expect(Set(script.state.tick(script.now)) == Set(connections.map { .check($0) }))
        #expect(script.state.failed(connections[0], at: script.now) == [.close(connections[0])])
        for connection in connections.dropFirst() { _ = script.state.ready(connection, at: script.now) }
        _ = script.state.closed(connections[0], at: script.now)
        script.wait(.seconds(280))
        // One is left: it is not used either, but the minimum.
        let actions = script.state.tick(script.now)
        #expect(actions.filter { if case .close = $0 { true } else { false } }.count == 1)
        #expect(script.state.counts.open == 1)
    }

    @Test("in eighty thousand random steps no place is taken twice, nobody is forgotten, and all is closed in the end", arguments: 0..<4)
    func random(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed) &* 7919 &+ 1)
        var model = Model()
        for _ in 0..<20_000 { try model.step(&generator) }
        try model.finish()
    }

    /// A server and users that do, in any order, what the state decides.
    private struct Model {
        private let capacity = 6
        private var state = PoolState(mostWaiting: 20)
        private var now = ContinuousClock.now
        /// What was decided and is not done yet.
        private var pending: [PoolState.Action] = []
        /// Connections the server has, those that close included.
        private var open: Set<PoolState.Connection> = []
        private var leased: Set<PoolState.Connection> = []
        private var waiting: Set<PoolState.Waiter> = []
        private var proving: [PoolState.Line] = []
        private var proven: [PoolState.Line] = []
        private var served = 0

        mutating func step(_ generator: inout SeededGenerator) throws {
            now += .milliseconds(generator.next() % 200)
            switch generator.next() % 20 {
            case 0: startLine()
            case 1: if let line = proven.randomElement(using: &generator) { activate(line, &generator) }
            case 2:
                if let line = (proven + proving).filter({ $0 != state.live }).randomElement(using: &generator) { end(line) }
            case 3: take(state.tick(now))
            case 4:
                if let waiter = waiting.randomElement(using: &generator) {
                    waiting.remove(waiter)
                    state.leave(waiter)
                }
            case 5..<9: request()
            case 9..<13: if let connection = leased.randomElement(using: &generator) { giveBack(connection, generator.next() % 8 > 0) }
            default: try perform(&generator)
            }
            for line in proven + proving { take(state.learn([server: capacity], for: line, at: now)) }
            let opening = pending.count { if case .open = $0 { true } else if case .admit = $0 { true } else { false } }
            try #require(open.count + opening <= capacity)
        }

        private mutating func startLine() {
            guard proving.count + proven.count < 3 else { return }
            let line = state.addLine([server], .init(min: 1, max: 4))
            proving.append(line)
            take(state.learn([server: capacity], for: line, at: now))
            take(state.askForProof(of: line, at: now))
        }

        private mutating func activate(_ line: PoolState.Line, _ generator: inout SeededGenerator) {
            let least = Int(generator.next() % 3)
            take(state.activate(line, .init(min: least, max: least + 1 + Int(generator.next() % 4)), at: now))
        }

        private mutating func end(_ line: PoolState.Line) {
            proving.removeAll { $0 == line }
            proven.removeAll { $0 == line }
            take(state.end(line, at: now))
        }

        private mutating func request() {
            guard let (lease, actions) = try? state.request(at: now) else { return }
            switch lease {
            case .lent(let idle): lend(idle.connection)
            case .queued(let waiter): waiting.insert(waiter)
            }
            take(actions)
        }

        private mutating func lend(_ connection: PoolState.Connection) {
            #expect(leased.insert(connection).inserted && open.contains(connection), "lent twice, or closed")
            served += 1
        }

        private mutating func giveBack(_ connection: PoolState.Connection, _ isUsable: Bool) {
            leased.remove(connection)
            take(state.giveBack(connection, isUsable: isUsable, at: now))
        }

        /// What happens at once, happens; the rest is done in any order.
        private mutating func take(_ actions: [PoolState.Action]) {
            for action in actions {
                switch action {
                case .lend(let connection, let waiter):
                    lend(connection)
                    // Whoever waits no longer gives it back.
                    if waiting.remove(waiter) == nil { giveBack(connection, true) }
                case .refuse(let waiter, _): waiting.remove(waiter)
                case .drained(let line): take(state.forget(line, at: now))
                default: pending.append(action)
                }
            }
        }

        private mutating func perform(_ generator: inout SeededGenerator) throws {
            guard let index = pending.indices.randomElement(using: &generator) else { return }
            let action = pending.remove(at: index)
            let succeeds = generator.next() % 6 > 0
            switch action {
            case .open(let line): finishOpening(line, succeeds)
            case .admit(let line):
                if finishOpening(line, succeeds) {
                    proving.removeAll { $0 == line }
                } else if proving.contains(line) {
                    take(state.askForProof(of: line, at: now))
                }
            case .retry(let line, _): take(state.retry(line, at: now))
            case .reset(let connection), .check(let connection):
                take(succeeds ? state.ready(connection, at: now) : state.failed(connection, at: now))
            case .close(let connection):
                try #require(open.remove(connection) != nil && !leased.contains(connection))
                take(state.closed(connection, at: now))
            case .lend, .refuse, .drained: break
            }
        }

        @discardableResult
        private mutating func finishOpening(_ line: PoolState.Line, _ succeeds: Bool) -> Bool {
            guard succeeds else {
                take(state.openingFailed(line, at: now))
                return false
            }
            guard let connection = state.opened(line) else {
                take(state.openingFailed(line, at: now))
                return false
            }
            open.insert(connection)
            if proving.contains(line) {
                proven.append(line)
                take(state.proved(line, by: connection, at: now))
            } else {
                take(state.ready(connection, at: now))
            }
            return true
        }

        /// Everybody goes home; then nothing is left.
        mutating func finish() throws {
            #expect(served > 500)
            var generator = SeededGenerator(seed: 1)
            for line in proven + proving { end(line) }
            for connection in leased { giveBack(connection, true) }
            while !pending.isEmpty { try perform(&generator) }
            #expect(open.isEmpty && waiting.isEmpty && leased.isEmpty)
            #expect(state.counts == .init())
        }
    }
}

private let server = PlaceScope.server("db:5432")
