public import Foundation
public import Hummingbird
public import Logging
public import NIOCore
public import NIOPosix
public import PlueConfig
import Synchronization

/// An HTTP server whose address, certificate and limits change while it serves.
///
/// Limits and certificate change behind the same listening socket: limits count from the next request on, the certificate from the
/// next handshake on, and no connection is lost. Another address is bound first, served beside the old one, looked at from
/// outside, and only then does the old one stop: it takes who still comes for a moment, accepts what the system's queue holds,
/// lets requests finish, and closes. No client is refused or reset on the way.
public final class HTTPServer: LiveService {
    /// A listener, and what it is to serve by. Instances of one address share the listener.
    public struct Instance: Sendable {
        let listener: Listener
        let terms: Terms
        /// Tells instances with the same listener and terms apart.
        let number: UInt64
    }

    private let group: any EventLoopGroup
    private let respond: Listener.Respond
    private let logger: Logger
    private let now: @Sendable () -> Date
    private let live = Mutex<Instance?>(nil)
    private let instances = Atomic<UInt64>(0)
    /// The listeners that may hold an address still, the live one among them.
    private let listeners = Mutex<[Listener]>([])

    /// How long ``prepare(_:beside:)`` waits for an address that this server is about to give up: a hand-over and some more.
    private static let patience: Duration = .seconds(2)

    /// - Parameters:
    ///   - responder: Answers requests; a Hummingbird router's `buildResponder()`.
    ///   - now: The time by which certificates are judged.
    public init<Responder: HTTPResponder>(
        _ responder: Responder, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }
    ) where Responder.Context == PeerRequestContext {
        self.group = group
        self.logger = logger
        self.now = now
        respond = { request, context in try await responder.respond(to: request, context: context) }
    }

    /// The address that is served, with the real port where 0 was asked for; `nil` when none is.
    public var address: SocketAddress? { live.withLock { $0?.listener.address } }

    /// The port that is served, for TCP.
    public var port: Int? { live.withLock { $0?.listener.port } }

    /// How many connections the live listener has.
    public var connectionCount: Int { live.withLock { $0?.listener.connectionCount } ?? 0 }

    /// How many connections the listeners have that were replaced: they end by themselves, or at their deadline.
    public var drainingConnectionCount: Int {
        let live = live.withLock { $0?.listener }
        return listeners.withLock { $0.filter { $0 !== live }.reduce(0) { $0 + $1.connectionCount } }
    }

    /// What new connections are answered with in the handshake, its expiry among it; `nil` for plain HTTP.
    public var certificate: TLSCertificate? { live.withLock { $0?.terms.identity?.certificate } }

    public func prepare(_ settings: HTTPServerSettings, beside live: Instance?) async throws -> Instance {
        let terms = Terms(limits: settings.limits, identity: try await identity(settings.tls, beside: live))
        if let live, live.listener.endpoint == settings.endpoint { return makeInstance(live.listener, terms) }
        await waitForRelease(of: settings.endpoint, beside: live?.listener)
        let listener = try await Listener.bind(
            settings.endpoint, serving: terms, beside: live?.listener, group: group, respond: respond, logger: logger)
        listeners.withLock { $0.append(listener) }
        return makeInstance(listener, terms)
    }

    /// Loads a certificate and its key, unless they are what is served already: that they expired meanwhile is no reason to refuse
    /// a change that is about something else.
    private func identity(_ files: HTTPServerSettings.TLS?, beside live: Instance?) async throws -> TLSIdentity? {
        guard let files else { return nil }
        if let identity = live?.terms.identity, identity.files == files { return identity }
        let identity = try await offPool { Result { () throws(ServiceRefusal) in try TLSIdentity(files) } }.get()
        let now = now()
        if let problem = identity.certificate.invalidity(at: now) {
            throw ServiceRefusal("the certificate in \(files.certificate.path) \(problem)")
        }
        for doubt in identity.certificate.doubts(at: now) { logger.warning("the certificate in \(files.certificate.path) \(doubt)") }
        return identity
    }

    /// Who goes back to the address of a moment ago meets its former listener, which still hands over.
    private func waitForRelease(of endpoint: HTTPServerSettings.Endpoint, beside live: Listener?) async {
        let former = listeners.withLock { $0.filter { $0 !== live && $0.endpoint.excludes(endpoint) } }
        let deadline = ContinuousClock.now + Self.patience
        while former.contains(where: \.isOpen), ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    private func makeInstance(_ listener: Listener, _ terms: Terms) -> Instance {
        let number = instances.add(1, ordering: .relaxed).newValue
        listener.hold(for: number)
        return Instance(listener: listener, terms: terms, number: number)
    }

    public func activate(_ next: Instance) async -> Instance? {
        next.listener.apply(next.terms)
        next.listener.begin()
        let previous = live.withLock { live in
            defer { live = next }
            return live
        }
        // 127.0.0.1:80 takes clients of its own as long as it hands over to 0.0.0.0:80: they are to meet the same certificate.
        if let previous, previous.listener !== next.listener, previous.listener.endpoint.excludes(next.listener.endpoint) {
            previous.listener.apply(Terms(limits: previous.terms.limits, identity: next.terms.identity))
        }
        return previous
    }

    public func verify(_ live: Instance) async throws {
        guard let address = live.listener.address else { throw ServiceRefusal("the listener has no address") }
        // All places are taken, by clients that are served: the look from outside would wait for one of them to leave.
        if live.listener.isFull { return }
        try await Probe.askForAnyAnswer(at: address, expecting: live.terms.identity?.certificate, group: group)
    }

    public func retire(_ instance: Instance) async {
        let reason: Listener.Closing = live.withLock { live in
            // The live instance itself is retired when the process ends.
            if live?.number == instance.number { live = nil }
            return live == nil ? .ended : .replaced
        }
        // Others may serve by the same listener: the live one that has other limits, or one that a change under way has just
        // replaced and may still have to swap back.
        guard instance.listener.release(instance.number) else { return }
        await instance.listener.close(reason)
        listeners.withLock { $0.removeAll { $0 === instance.listener } }
    }

    public func action(from old: HTTPServerSettings, to new: HTTPServerSettings) -> ServiceAction {
        old.action(to: new)
    }

    public func verification(of settings: HTTPServerSettings) -> String { settings.verification }
}
