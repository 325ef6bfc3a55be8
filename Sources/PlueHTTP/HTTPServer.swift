public import Hummingbird
public import Logging
public import NIOCore
public import NIOPosix
public import PlueConfig
import Synchronization

/// An HTTP server whose address and limits change while it serves.
///
/// Limits change behind the same listening socket. Another address is bound first, served beside the old one, looked at from
/// outside, and only then does the old one stop: it takes who still comes for a moment, accepts what the system's queue holds,
/// lets requests finish, and closes. No client is refused or reset on the way.
public final class HTTPServer: LiveService {
    /// A listener, and the limits it is to have. Instances of one address share the listener.
    public struct Instance: Sendable {
        let listener: Listener
        let limits: HTTPServerSettings.Limits
        /// Tells instances with the same listener and limits apart.
        let number: UInt64
    }

    private let group: any EventLoopGroup
    private let respond: Listener.Respond
    private let logger: Logger
    private let live = Mutex<Instance?>(nil)
    private let instances = Atomic<UInt64>(0)
    /// The listeners that may hold an address still, the live one among them.
    private let listeners = Mutex<[Listener]>([])

    /// How long ``prepare(_:beside:)`` waits for an address that this server is about to give up: a hand-over and some more.
    private static let patience: Duration = .seconds(2)

    /// - Parameter responder: Answers requests; a Hummingbird router's `buildResponder()`.
    public init<Responder: HTTPResponder>(
        _ responder: Responder, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, logger: Logger
    ) where Responder.Context == PeerRequestContext {
        self.group = group
        self.logger = logger
        respond = { request, context in try await responder.respond(to: request, context: context) }
    }

    /// The address that is served, with the real port where 0 was asked for; `nil` when none is.
    public var address: SocketAddress? { live.withLock { $0?.listener.address } }

    /// The port that is served, for TCP.
    public var port: Int? { live.withLock { $0?.listener.port } }

    /// How many connections the live listener has.
    public var connectionCount: Int { live.withLock { $0?.listener.connectionCount } ?? 0 }

    public func prepare(_ settings: HTTPServerSettings, beside live: Instance?) async throws -> Instance {
        if let live, live.listener.endpoint == settings.endpoint {
            return makeInstance(live.listener, settings)
        }
        await waitForRelease(of: settings.endpoint, beside: live?.listener)
        let listener = try await Listener.bind(settings, beside: live?.listener, group: group, respond: respond, logger: logger)
        listeners.withLock { $0.append(listener) }
        return makeInstance(listener, settings)
    }

    /// Who goes back to the address of a moment ago meets its former listener, which still hands over.
    private func waitForRelease(of endpoint: HTTPServerSettings.Endpoint, beside live: Listener?) async {
        let former = listeners.withLock { $0.filter { $0 !== live && $0.endpoint.excludes(endpoint) } }
        let deadline = ContinuousClock.now + Self.patience
        while former.contains(where: \.isOpen), ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    private func makeInstance(_ listener: Listener, _ settings: HTTPServerSettings) -> Instance {
        Instance(listener: listener, limits: settings.limits, number: instances.add(1, ordering: .relaxed).newValue)
    }

    public func activate(_ next: Instance) async -> Instance? {
        next.listener.apply(next.limits)
        next.listener.begin()
        return live.withLock { live in
            defer { live = next }
            return live
        }
    }

    public func verify(_ live: Instance) async throws {
        guard let address = live.listener.address else { throw ServiceRefusal("the listener has no address") }
        // All places are taken, by clients that are served: the look from outside would wait for one of them to leave.
        if live.listener.isFull { return }
        try await Probe.askForAnyAnswer(at: address, group: group)
    }

    public func retire(_ instance: Instance) async {
        let reason: Listener.Closing? = live.withLock { live in
            // The live instance itself is retired when the process ends.
            if live?.number == instance.number {
                live = nil
                return .ended
            }
            // One that only had other limits leaves the listener to the live one.
            return live?.listener === instance.listener ? nil : .replaced
        }
        guard let reason else { return }
        await instance.listener.close(reason)
        listeners.withLock { $0.removeAll { $0 === instance.listener } }
    }

    public func action(from old: HTTPServerSettings, to new: HTTPServerSettings) -> ServiceAction {
        old.action(to: new)
    }

    public func verification(of settings: HTTPServerSettings) -> String { "an answer from \(settings.endpoint)" }
}
