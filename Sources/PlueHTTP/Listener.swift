import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import PlueConfig
import Synchronization
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// One listening address and the connections that came through it.
final class Listener: Sendable {
    typealias Respond = @Sendable (Request, PeerRequestContext) async throws -> Response

    private let descriptor: Int32
    private let file: SocketFile?
    private let channel: any Channel
    private let gate: NIOLoopBound<ConnectionGate>
    private let connections: Connections
    private let terms: TermsBox
    private let hasBegun = Atomic<Bool>(false)
    private let isClosing = Atomic<Bool>(false)
    /// The instances that serve by it, or may again.
    private let holders = Mutex<Set<UInt64>>([])

    let endpoint: HTTPServerSettings.Endpoint

    /// New connections from clients that learned the address just before it moved are still taken for so long.
    private static let handOver: Duration = .milliseconds(400)

    private init(
        endpoint: HTTPServerSettings.Endpoint, socket: ListeningSocket, channel: any Channel, gate: NIOLoopBound<ConnectionGate>,
        connections: Connections, terms: TermsBox
    ) {
        self.endpoint = endpoint
        descriptor = socket.descriptor
        file = socket.file
        self.channel = channel
        self.gate = gate
        self.connections = connections
        self.terms = terms
    }

    /// Binds an endpoint and gets everything ready; nothing is accepted before ``begin()``.
    static func bind(
        _ endpoint: HTTPServerSettings.Endpoint, serving terms: Terms, beside live: Listener?, group: any EventLoopGroup,
        respond: @escaping Respond, logger: Logger
    ) async throws -> Listener {
        let liveDescriptor = live?.descriptor
        let socket = try await offPool { Result { try ListeningSocket.open(endpoint, beside: liveDescriptor) } }.get()
        let terms = TermsBox(terms)
        let connections = Connections()
        let gateBox = Mutex<NIOLoopBound<ConnectionGate>?>(nil)
        let responder = Responding(respond: respond, terms: terms, connections: connections, logger: logger)
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.autoRead, value: false)
                .serverChannelOption(.maxMessagesPerRead, value: 1)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let gate = ConnectionGate(limit: { terms.value.limits.maxConnections }, onCount: { connections.count = $0 })
                        gateBox.withLock { $0 = NIOLoopBound(gate, eventLoop: channel.eventLoop) }
                        try channel.pipeline.syncOperations.addHandler(gate)
                    }
                }
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    // The terms are read here, per connection: the ones that count now.
                    let terms = terms.value
                    let http = responder.channel(terms)
                    return channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(LastWords(patience: TimeAmount(terms.limits.idleTimeout)))
                        guard let identity = terms.identity else { return }
                        try channel.pipeline.syncOperations.addHandlers(identity.makeHandler(), HandshakeErrors(logger))
                    }.flatMap {
                        http.setup(channel: channel, logger: logger)
                    }.map { connection in
                        // A connection that is set up has to be served, also when the listener closes in this moment: NIO ends
                        // the process when one is dropped. So nothing, such as the listener's own sequence, comes between.
                        connections.add(channel, servedBy: Task { await http.handle(value: connection, logger: logger) })
                    }
                }
                .withBoundSocket(socket.descriptor).get()
            guard let gate = gateBox.withLock({ $0 }) else { throw ServiceRefusal("the listener could not be set up") }
            return Listener(
                endpoint: endpoint, socket: socket, channel: channel, gate: gate, connections: connections, terms: terms)
        } catch {
            socket.file?.remove()
            throw error as? ServiceRefusal ?? ServiceRefusal("the listener could not be set up: \((error as? IOError)?.errnoCode ?? 0)")
        }
    }

    /// Keeps it open for an instance, until ``release(_:)``.
    func hold(for instance: UInt64) { holders.withLock { _ = $0.insert(instance) } }

    /// - Returns: Whether nobody holds it any more.
    func release(_ instance: UInt64) -> Bool {
        holders.withLock { holders in
            holders.remove(instance)
            return holders.isEmpty
        }
    }

    /// Starts to accept. Harmless when it accepts already.
    func begin() {
        hasBegun.store(true, ordering: .relaxed)
        channel.setOption(.autoRead, value: true).whenComplete { _ in }
    }

    /// Puts other terms in force: limits from the next request on, the certificate from the next handshake on.
    func apply(_ terms: Terms) {
        self.terms.value = terms
        channel.eventLoop.execute { [gate] in gate.value.admit() }
    }

    /// The address clients connect to, with the real port where 0 was asked for.
    ///
    /// A socket file was bound under another name than the one it has now.
    var address: SocketAddress? {
        if case .unix(let path) = endpoint { try? SocketAddress(unixDomainSocketPath: path.string) } else { channel.localAddress }
    }

    /// The port, for TCP.
    var port: Int? { address?.port }

    /// How many connections are open.
    var connectionCount: Int { connections.count }

    /// Whether it has as many connections as it may: the next one waits.
    var isFull: Bool { connectionCount >= terms.value.limits.maxConnections }

    /// Whether it holds its address still.
    var isOpen: Bool { channel.isActive }

    /// Why a listener closes, which decides whom it waits for.
    enum Closing {
        /// Another takes its place: clients are to notice nothing.
        case replaced
        /// The process ends: only requests count.
        case ended
    }

    /// Takes no more connections, lets requests finish, and closes everything by the drain timeout.
    ///
    /// A cancelled task closes within a second, and within some more as long as clients that wait for an answer still get theirs: how
    /// long that takes depends on the machine's other work, and whoever is closed on with a request unread is reset.
    func close(_ reason: Closing) async {
        guard !isClosing.exchange(true, ordering: .relaxed) else { return }
        let drain = terms.value.limits.drainTimeout
        // One that never accepted was never told to anybody.
        if hasBegun.load(ordering: .relaxed) {
            if reason == .replaced { await wait(for: Self.handOver, butWhenCancelled: Self.handOver) { false } }
            // What the system has accepted for us is a client that believes it is connected: closing would reset it.
            await wait(for: drain, butWhenCancelled: Self.moment) { !hasWaitingConnections }
            // NIO drops a connection whose listener closes while it is being set up.
            await wait(for: max(drain, Self.moment), butWhenCancelled: Self.moment) { connections.areSetUp }
        }
        connections.isDraining.store(true, ordering: .relaxed)
        await endListening()
        file?.remove()
        // A connection between two requests is told with its next response: closing it now could cross a request on its way.
        await wait(for: reason == .replaced ? drain : Self.moment, butWhenCancelled: Self.moment) { connections.isEmpty }
        connections.quiesce()
        await wait(for: reason == .replaced ? Self.moment : drain, butWhenCancelled: Self.moment) { connections.isEmpty }
        await wait(for: .seconds(10), butWhenCancelled: .seconds(10)) {
            connections.cut()
            return connections.isEmpty
        }
    }

    /// Ends for every copy of the descriptor that there is: a program that is being started has one until its own code begins, and who
    /// connected meanwhile would wait in a queue that is nobody's.
    private func endListening() async {
        let descriptor = descriptor
        // In one turn of the loop, which must not find a listener that does not listen.
        try? await channel.eventLoop.flatSubmit { [channel] in
            if channel.isActive { shutdown(descriptor, Int32(SHUT_RD)) }
            return channel.close()
        }.get()
    }

    /// How long a request may be on its way to us.
    private static let moment: Duration = .milliseconds(300)

    /// Waits for the condition: for the time, or when cancelled briefly after the last connection that came or went.
    ///
    /// What is brief is counted in pauses: on a machine that is busy they take longer, and so does all that is waited for.
    private func wait(for time: Duration, butWhenCancelled briefly: Duration, until isMet: () -> Bool) async {
        let start = ContinuousClock.now
        var (still, changes) = (Duration.zero, connections.changes)
        while !isMet(), start.duration(to: .now) < time {
            if Task.isCancelled {
                if connections.changes != changes { (still, changes) = (.zero, connections.changes) }
                if still >= briefly || start.duration(to: .now) >= max(briefly, Self.hurry) { return }
                still += Self.pause
            }
            await Self.pass(Self.pause)
        }
    }

    /// The longest that one step of closing takes when it is told to hurry.
    private static let hurry: Duration = .seconds(3)
    private static let pause: Duration = .milliseconds(5)

    /// A pause that a cancelled task takes as well.
    private static func pass(_ time: Duration) async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(Int(time / .nanoseconds(1)))) { continuation.resume() }
        }
    }

    private var hasWaitingConnections: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLIN) != 0
    }
}

/// The open connections of a listener.
final class Connections: Sendable {
    private let accepted = Atomic<Int>(0)
    private let comingsAndGoings = Atomic<Int>(0)
    let isDraining = Atomic<Bool>(false)
    private let open = Mutex<[ObjectIdentifier: (channel: any Channel, serving: Task<Void, Never>)]>([:])

    func add(_ channel: any Channel, servedBy serving: Task<Void, Never>) {
        let id = ObjectIdentifier(channel)
        open.withLock { $0[id] = (channel, serving) }
        channel.closeFuture.whenComplete { _ in _ = self.open.withLock { $0.removeValue(forKey: id) } }
    }

    /// As the gate counts: from the moment of acceptance, before they are set up.
    var count: Int {
        get { accepted.load(ordering: .relaxed) }
        set {
            accepted.store(newValue, ordering: .relaxed)
            comingsAndGoings.wrappingAdd(1, ordering: .relaxed)
        }
    }

    /// Another number whenever a connection has come or gone.
    var changes: Int { comingsAndGoings.load(ordering: .relaxed) }

    var isEmpty: Bool { count == 0 }

    /// Whether all that were accepted are served by now.
    var areSetUp: Bool {
        open.withLock { open in open.count >= count && open.values.allSatisfy { channel, _ in channel.isActive } }
    }

    /// Closes those without a request, and the others after their response.
    func quiesce() {
        for (channel, _) in open.withLock({ Array($0.values) }) {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
    }

    /// Closes all, and tells whoever works on a response that nobody waits for it any more.
    func cut() {
        for (channel, serving) in open.withLock({ Array($0.values) }) {
            channel.closeAtOnce()
            serving.cancel()
        }
    }
}
