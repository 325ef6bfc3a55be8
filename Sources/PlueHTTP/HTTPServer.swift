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
        let listener = try await Listener.bind(settings, beside: live?.listener, group: group, respond: respond, logger: logger)
        return makeInstance(listener, settings)
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
        try await Probe.askForAnyAnswer(at: address, group: group)
    }

    public func retire(_ instance: Instance) async {
        let isUnused = live.withLock { live in
            // The live instance itself is retired when the process ends.
            if live?.number == instance.number { live = nil }
            // One that only had other limits leaves the listener to the live one.
            return live?.listener !== instance.listener
        }
        if isUnused { await instance.listener.close() }
    }

    public func action(from old: HTTPServerSettings, to new: HTTPServerSettings) -> ServiceAction {
        old.action(to: new)
    }
}
