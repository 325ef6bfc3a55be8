import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import PlueConfig
import Synchronization

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
    private let limits: LimitBox
    /// Accepts and serves; unstructured because a listener outlives the transaction that made it. ``close(_:)`` ends it.
    private let serving: Task<Void, Never>

    let endpoint: HTTPServerSettings.Endpoint

    /// New connections from clients that learned the address just before it moved are still taken for so long.
    private static let handOver: Duration = .milliseconds(400)

    private init(
        endpoint: HTTPServerSettings.Endpoint, socket: ListeningSocket, channel: any Channel, gate: NIOLoopBound<ConnectionGate>,
        connections: Connections, limits: LimitBox, serving: Task<Void, Never>
    ) {
        self.endpoint = endpoint
        descriptor = socket.descriptor
        file = socket.file
        self.channel = channel
        self.gate = gate
        self.connections = connections
        self.limits = limits
        self.serving = serving
    }

    /// Binds an endpoint and gets everything ready; nothing is accepted before ``begin()``.
    static func bind(
        _ settings: HTTPServerSettings, beside live: Listener?, group: any EventLoopGroup, respond: @escaping Respond, logger: Logger
    ) async throws -> Listener {
        let liveDescriptor = live?.descriptor
        let socket = try await offPool { Result { try ListeningSocket.open(settings.endpoint, beside: liveDescriptor) } }.get()
        let limits = LimitBox(settings.limits)
        let connections = Connections()
        let gateBox = Mutex<NIOLoopBound<ConnectionGate>?>(nil)
        let responder = Responding(respond: respond, limits: limits, connections: connections, logger: logger)
        do {
            let server = try await ServerBootstrap(group: group)
                .serverChannelOption(.autoRead, value: false)
                .serverChannelOption(.maxMessagesPerRead, value: 1)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let gate = ConnectionGate(limit: { limits.value.maxConnections }, onCount: { connections.count.store($0, ordering: .relaxed) })
                        gateBox.withLock { $0 = NIOLoopBound(gate, eventLoop: channel.eventLoop) }
                        try channel.pipeline.syncOperations.addHandler(gate)
                    }
                }
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .bind(socket.descriptor) { channel in
                    connections.add(channel)
                    // Limits are read here, per connection: the ones that count now.
                    return responder.channel(limits.value).setup(channel: channel, logger: logger)
                }
            let serving = Task {
                await withDiscardingTaskGroup { group in
                    do {
                        try await server.executeThenClose { inbound in
                            for try await connection in inbound {
                                group.addTask { await responder.channel(limits.value).handle(value: connection, logger: logger) }
                            }
                        }
                    } catch {
                        logger.error("the listener has stopped", metadata: ["error": "\(type(of: error))"])
                    }
                }
            }
            guard let gate = gateBox.withLock({ $0 }) else { throw ServiceRefusal("the listener could not be set up") }
            return Listener(
                endpoint: settings.endpoint, socket: socket, channel: server.channel, gate: gate, connections: connections, limits: limits,
                serving: serving)
        } catch {
            socket.file?.remove()
            throw error as? ServiceRefusal ?? ServiceRefusal("the listener could not be set up: \((error as? IOError)?.errnoCode ?? 0)")
        }
    }

    /// Starts to accept. Harmless when it accepts already.
    func begin() {
        channel.setOption(.autoRead, value: true).whenComplete { _ in }
    }

    /// Puts other limits in force.
    func apply(_ limits: HTTPServerSettings.Limits) {
        self.limits.value = limits
        channel.eventLoop.execute { [gate] in gate.value.admit() }
    }

    /// The address clients connect to, with the real port where 0 was asked for.
    var address: SocketAddress? { channel.localAddress }

    /// The port, for TCP.
    var port: Int? { address?.port }

    /// How many connections are open.
    var connectionCount: Int { connections.count.load(ordering: .relaxed) }

    private let isClosing = Atomic<Bool>(false)

    /// Takes no more connections, lets those there are finish, and closes everything by the drain timeout.
    func close() async {
        guard !isClosing.exchange(true, ordering: .relaxed) else { return }
        let deadline = ContinuousClock.now + limits.value.drainTimeout + Self.handOver
        try? await Task.sleep(for: Self.handOver)
        // What the system has accepted for us is a client that believes it is connected: closing would reset it.
        while hasWaitingConnections, ContinuousClock.now < deadline, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(2)) }
        connections.isDraining.store(true, ordering: .relaxed)
        try? await channel.close()
        file?.remove()
        // A connection between two requests is told with its next response: closing it now could cross a request on its way.
        while !connections.isEmpty, ContinuousClock.now < deadline, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(20)) }
        connections.quiesce()
        let last = ContinuousClock.now + .milliseconds(500)
        while !connections.isEmpty, ContinuousClock.now < last { await Self.pause() }
        connections.cut()
        await serving.value
    }

    /// A short pause that a cancelled task takes as well.
    private static func pause() async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(20)) { continuation.resume() }
        }
    }

    private var hasWaitingConnections: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLIN) != 0
    }
}

/// The limits in force, shared by a listener's connections.
final class LimitBox: Sendable {
    private let limits: Mutex<HTTPServerSettings.Limits>
    init(_ limits: HTTPServerSettings.Limits) { self.limits = Mutex(limits) }
    var value: HTTPServerSettings.Limits {
        get { limits.withLock { $0 } }
        set { limits.withLock { $0 = newValue } }
    }
}

/// The open connections of a listener.
final class Connections: Sendable {
    let count = Atomic<Int>(0)
    let isDraining = Atomic<Bool>(false)
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        channels.withLock { $0[id] = channel }
        channel.closeFuture.whenComplete { _ in _ = self.channels.withLock { $0.removeValue(forKey: id) } }
    }

    var isEmpty: Bool { channels.withLock { $0.isEmpty } }

    /// Closes those without a request, and the others after their response.
    func quiesce() {
        for channel in channels.withLock({ Array($0.values) }) { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }

    func cut() {
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }
}
