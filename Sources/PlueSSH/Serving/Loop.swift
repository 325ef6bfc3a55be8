import CLibSSH
import CPlueSystem
import Foundation
import Logging
import PlueConfig
import Synchronization

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// The server's event loop: accepts, has libssh handle what arrives, sends what commands write, and keeps the time.
///
/// Lives on one ``LoopThread``, and so does everything it holds; nothing in it blocks. Each session has its own `ssh_event`, and
/// this loop polls: libssh handles whatever is ready in the same `ssh_event` also in the midst of a write, and takes an error of any
/// session there for one of the session that writes. With one for all, a client that hangs up ends the session of another.
final class Loop {
    /// What the loop is given for life.
    struct Surroundings: Sendable {
        let handler: SSHCommand.Handler
        let onEvent: @Sendable (SSHEvent) -> Void
        let prompt: String
        let logger: Logger
    }

    let thread: LoopThread
    let surroundings: Surroundings
    let runs = CommandRuns()
    private let wakeUps: Int32
    /// What new clients are served by; `nil` while there is to be no server.
    private(set) var configuration: Configuration?
    private var listeners: [Listener] = []
    private var connections: [UInt64: Connection] = [:]
    private var lastConnection: UInt64 = 0
    private var draining: Draining?
    /// The connections that have something to do though nothing arrived for them.
    private var waiting: Set<UInt64> = []
    private var lastComplaint: ContinuousClock.Instant?
    /// How many had to leave before their login, for others.
    private var evictions = 0

    private struct Listener {
        let socket: ListeningSocket
        /// Accepting failed for want of something; trying again at once would only burn the processor.
        var pausedUntil: ContinuousClock.Instant?
    }

    private struct Draining {
        var deadline: ContinuousClock.Instant
        var waiters: [CheckedContinuation<Void, Never>]
    }

    private static let pause: Duration = .milliseconds(250)
    /// Between two rounds of everything else.
    private static let mostAcceptsAtOnce = 32
    /// A thousand in a second.
    private static let mostEvictionsAtOnce = 8
    private static let evictionPause: Duration = .milliseconds(8)

    init(on thread: LoopThread, wakeUps: Int32, _ surroundings: Surroundings) {
        self.thread = thread
        self.wakeUps = wakeUps
        self.surroundings = surroundings
    }

    var logger: Logger { surroundings.logger }

    // MARK: - The round

    func run() {
        while let work = thread.takeWork(isIdle: listeners.isEmpty && connections.isEmpty) {
            for work in work { work(self) }
            let someoneLeft = advance()
            settleDraining()
            publishCounts()
            // Whoever waited for that is heard first; it may have been the last one that kept the thread running.
            if !someoneLeft { wait() }
        }
        resumeDrained()
        runs.finish()
    }

    /// Waits for whatever comes first, and handles what has come.
    private func wait() {
        let now = ContinuousClock.now
        var entries = [pollfd(fd: wakeUps, events: Int16(POLLIN), revents: 0)]
        for index in listeners.indices where listeners[index].pausedUntil.map({ $0 <= now }) == true { listeners[index].pausedUntil = nil }
        let accepting = listeners.indices.filter { listeners[$0].pausedUntil == nil }
        for index in accepting { entries.append(pollfd(fd: listeners[index].socket.descriptor, events: Int16(POLLIN), revents: 0)) }
        let polled = connections.values.filter { !$0.isDead }
        for connection in polled { entries.append(connection.pollEntry) }
        let timeout = waiting.isEmpty ? nextDeadline().map { now.duration(to: $0).pollTimeout } ?? -1 : 0
        let count = entries.withUnsafeMutableBufferPointer { poll($0.baseAddress, nfds_t($0.count), timeout) }
        guard count > 0 else { return }
        if entries[0].revents != 0 { drainWakeUps() }
        for (connection, entry) in zip(polled, entries.dropFirst(1 + accepting.count)) where entry.revents != 0 {
            connection.process()
            waiting.insert(connection.id)
        }
        for (index, entry) in zip(accepting, entries.dropFirst()) where entry.revents != 0 { accept(at: index) }
    }

    private func drainWakeUps() {
        var bytes = [UInt8](repeating: 0, count: 256)
        while read(wakeUps, &bytes, bytes.count) == bytes.count {}
    }

    /// Sends what is to be sent, ends what has to end, and forgets who is gone.
    /// - Returns: Whether anybody is.
    private func advance() -> Bool {
        let now = ContinuousClock.now
        let ready = waiting
        waiting = []
        for id in ready where connections[id]?.advance() == true { waiting.insert(id) }
        for connection in connections.values { connection.expire(at: now) }
        let dead = connections.values.filter(\.isDead)
        for connection in dead {
            connection.drop()
            connections[connection.id] = nil
            waiting.remove(connection.id)
        }
        return !dead.isEmpty
    }

    private func nextDeadline() -> ContinuousClock.Instant? {
        let pauses = listeners.compactMap(\.pausedUntil)
        return (connections.values.compactMap { $0.deadline } + pauses + [draining?.deadline].compactMap(\.self)).min()
    }

    private func publishCounts() {
        let loggedIn = connections.values.count { $0.identity != nil }
        thread.loggedIn.store(loggedIn, ordering: .relaxed)
        thread.halfOpen.store(connections.count - loggedIn, ordering: .relaxed)
    }

    // MARK: - Accepting

    private func accept(at index: Int) {
        let before = evictions
        for _ in 0..<Self.mostAcceptsAtOnce {
            guard acceptOne(at: index) else { return }
            guard evictions - before < Self.mostEvictionsAtOnce else {
                // So that even in a flood everybody has some time to get on; the others wait in the system's queue.
                listeners[index].pausedUntil = .now + Self.evictionPause
                return
            }
        }
    }

    /// - Returns: Whether there may be more.
    private func acceptOne(at index: Int) -> Bool {
        var address = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let descriptor = plue_accept(listeners[index].socket.descriptor, &address, address.count)
        guard descriptor >= 0 else {
            switch errno {
            case EAGAIN: return false
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                complainOfExhaustion()
                listeners[index].pausedUntil = .now + Self.pause
                return false
            // Of the connection that was to be accepted: it is gone already.
            case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT, EOPNOTSUPP, EPERM: return true
            default:
                listeners[index].pausedUntil = .now + Self.pause
                return false
            }
        }
        admit(descriptor, from: String(decoding: address.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        return true
    }

    private func complainOfExhaustion() {
        if let lastComplaint, lastComplaint + .seconds(60) > .now { return }
        lastComplaint = .now
        logger.warning("ssh: connections wait, since this process or machine has no more descriptors or memory")
    }

    private func admit(_ descriptor: Int32, from address: String) {
        guard let configuration else {
            close(descriptor)
            return
        }
        makeRoom(configuration.limits.maxHalfOpen)
        lastConnection += 1
        guard let connection = Connection(lastConnection, descriptor, from: address, on: self, configuration) else { return }
        connections[connection.id] = connection
        waiting.insert(connection.id)
    }

    /// Has one who is not logged in leave, when there are as many of them as there may be.
    ///
    /// A flood comes faster than a login goes, so it is not the oldest that leaves: of the step of the login that most have reached,
    /// the one that has been silent for longest. Whoever does log in is soon among few, and never silent.
    private func makeRoom(_ most: Int) {
        let halfOpen = connections.values.filter { $0.identity == nil }
        guard halfOpen.count >= most else { return }
        let crowd = Dictionary(grouping: halfOpen, by: \.progressOfLogin).max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }
        guard let quietest = crowd?.value.min(by: { $0.lastActivity < $1.lastActivity }) else { return }
        quietest.drop()
        connections[quietest.id] = nil
        evictions += 1
    }

    /// Whether one more may log in.
    var hasRoom: Bool {
        guard let configuration else { return false }
        return connections.values.count { $0.identity != nil } < configuration.limits.maxConnections
    }

    // MARK: - What others want

    /// Serves new clients by other settings, also those who come to listeners that were there before.
    func serve(_ configuration: Configuration?, at socket: ListeningSocket?) {
        self.configuration = configuration
        if let socket, !listeners.contains(where: { $0.socket === socket }) { listeners.append(Listener(socket: socket)) }
        // Who was told to end has heard it; the others live on.
        if configuration != nil { resumeDrained() }
    }

    /// Takes who has come to a listener, and closes it.
    func stopListening(_ socket: ListeningSocket) {
        if let index = listeners.firstIndex(where: { $0.socket === socket }) {
            // What the system has accepted is a client that believes it is connected: closing would reset it.
            if configuration != nil { while acceptOne(at: index) {} }
            listeners.remove(at: index)
        }
        socket.stop()
    }

    /// Ends the sessions of keys that are not authorized any more, where that is wanted.
    func endRevoked() {
        guard configuration?.terminatesRevoked == true else { return }
        for connection in connections.values where connection.isRevoked { connection.end("your key is not authorized any more") }
    }

    /// Lets commands finish until the deadline, and ends everybody else now.
    func drain(until deadline: ContinuousClock.Instant, whenDone waiter: CheckedContinuation<Void, Never>) {
        guard configuration == nil else {
            // Somebody is to be served again.
            waiter.resume()
            return
        }
        draining = Draining(deadline: min(deadline, draining?.deadline ?? deadline), waiters: (draining?.waiters ?? []) + [waiter])
    }

    /// Waits for no command any more.
    func hurry() { draining?.deadline = .now }

    var isDraining: Bool { draining != nil }

    private func settleDraining() {
        guard let draining else { return }
        let isOver = draining.deadline <= .now
        for connection in connections.values where !connection.isEnding {
            if connection.identity == nil {
                connection.end(nil)
            } else if isOver || !connection.isUnfinished {
                connection.end("the server is stopping")
            }
        }
        if isOver { self.draining?.deadline = .now + .seconds(3600) }
        if connections.isEmpty { resumeDrained() }
    }

    private func resumeDrained() {
        let waiters = draining?.waiters ?? []
        draining = nil
        for waiter in waiters { waiter.resume() }
    }

    // MARK: - What commands want

    /// A command has written something.
    func hear(from connection: UInt64) { if connections[connection] != nil { waiting.insert(connection) } }

    /// A command has returned.
    func commandEnded(_ status: UInt8, on connection: UInt64, _ channel: UInt64) {
        connections[connection]?.commandEnded(status, on: channel)
        hear(from: connection)
    }
}
