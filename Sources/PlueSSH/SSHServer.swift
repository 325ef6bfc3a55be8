import Dispatch
public import Logging
public import PlueConfig
import Synchronization

/// An SSH server for commands of the program's own, whose every setting changes while it serves: the administrator's door.
///
/// ```swift
/// let ssh = SSHServer(logger: logger) { command in
///     guard command.words == ["show"] else { return 64 }
///     try? await command.output.write("port = 8080\n")
///     return 0
/// }
/// ```
///
/// Clients log in with public keys, see ``AuthorizedKeys``, and run commands (`ssh host show`) or a small shell. There is no
/// forwarding, no agent, no file transfer, no environment, and no other program.
///
/// Another address is bound beside the live one and looked at from outside before the live one closes; sessions live on, whatever
/// changes. Keys, limits and the banner change behind the same listening socket.
public final class SSHServer: LiveService {
    /// A listener and what it goes by. Instances of one address share the listener.
    public struct Instance: Sendable {
        /// `nil` when there is to be no server.
        let serving: Serving?
        let number: UInt64

        struct Serving: Sendable {
            let socket: ListeningSocket
            let configuration: Configuration
        }
    }

    private let thread: LoopThread
    private let live = Mutex<Instance?>(nil)
    private let instances = Atomic<UInt64>(0)
    /// The sockets that may hold an address still, the live one among them.
    private let sockets = Mutex<[ListeningSocket]>([])

    /// How long ``prepare(_:beside:)`` waits for an address that this server is about to give up: a hand-over and some more.
    private static let patience: Duration = .seconds(2)
    /// New connections from clients that learned the address just before it moved are still taken for so long.
    private static let handOver: Duration = .milliseconds(400)

    /// - Parameters:
    ///   - prompt: What a shell on a terminal shows before each line.
    ///   - onEvent: Told of logins, refused logins and logouts, on the server's thread; must not block.
    ///   - handler: Carries commands out.
    public init(
        prompt: String = "> ", logger: Logger, onEvent: @escaping @Sendable (SSHEvent) -> Void = { _ in },
        handler: @escaping SSHCommand.Handler
    ) {
        thread = LoopThread(.init(handler: handler, onEvent: onEvent, prompt: prompt, logger: logger))
    }

    /// The address that is served, with the real port where 0 was asked for; `nil` when none is.
    public var address: SSHServerSettings.Endpoint? {
        live.withLock { $0?.serving?.socket }.map { .init(host: $0.endpoint.host, port: $0.port) }
    }

    /// The fingerprints of the host keys that new clients see: `SHA256:…`, as `ssh-keygen -l` prints them.
    public var hostKeyFingerprints: [String] {
        live.withLock { $0?.serving?.configuration.hostKeys.descriptions.map(\.fingerprint) } ?? []
    }

    /// How many clients are logged in.
    public var connectionCount: Int { thread.loggedIn.load(ordering: .relaxed) }

    /// How many clients have connected and are not logged in.
    public var halfOpenCount: Int { thread.halfOpen.load(ordering: .relaxed) }

    /// Whether the server's thread runs; it ends with the last instance.
    var isThreadRunning: Bool { thread.isRunning.load(ordering: .acquiring) }

    // MARK: - LiveService

    public func prepare(_ settings: SSHServerSettings, beside live: Instance?) async throws -> Instance {
        let number = instances.add(1, ordering: .relaxed).newValue
        guard settings.isEnabled else { return Instance(serving: nil, number: number) }
        guard let authorizedKeys = settings.authorizedKeys else {
            throw ServiceRefusal("the SSH server has no file of authorized keys, so nobody could log in")
        }
        let configuration = try await offPool { () throws(ServiceRefusal) in
            Configuration(
                hostKeys: try HostKeys.load(settings), authorizedKeys: try AuthorizedKeys.load(authorizedKeys), banner: settings.banner,
                terminatesRevoked: settings.terminatesRevoked, limits: settings.limits)
        }
        try thread.claim(number)
        do {
            let socket = try await socket(for: settings.endpoint, beside: live?.serving?.socket)
            socket.hold(for: number)
            return Instance(serving: .init(socket: socket, configuration: configuration), number: number)
        } catch {
            thread.release(number)
            throw error
        }
    }

    private func socket(for endpoint: SSHServerSettings.Endpoint, beside live: ListeningSocket?) async throws -> ListeningSocket {
        if let live, live.endpoint == endpoint { return live }
        // Who goes back to the address of a moment ago meets its former listener, which still hands over.
        let former = sockets.withLock { $0.filter { $0 !== live && $0.endpoint.excludes(endpoint) } }
        let deadline = ContinuousClock.now + Self.patience
        while former.contains(where: \.isOpen), ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
        }
        let socket = try await offPool { () throws(ServiceRefusal) in try ListeningSocket.open(endpoint, beside: live) }
        sockets.withLock { $0.append(socket) }
        return socket
    }

    public func activate(_ next: Instance) async -> Instance? {
        next.serving?.socket.hasServed.store(true, ordering: .relaxed)
        thread.perform { $0.serve(next.serving?.configuration, at: next.serving?.socket) }
        return live.withLock { live in
            defer { live = next }
            return live
        }
    }

    public func verify(_ live: Instance) async throws {
        guard let serving = live.serving else { return }
        try await offPool { () throws(ServiceRefusal) in try Probe.askForGreeting(at: serving.socket.reachable) }
    }

    public func retire(_ instance: Instance) async {
        let (successor, wasLive): (Instance?, Bool) = live.withLock { live in
            // The live instance itself is retired when the process ends.
            guard live?.number == instance.number else { return (live, false) }
            live = nil
            return (nil, true)
        }
        // Others may serve by the same socket: the live one that has other keys, or one that a change under way has just replaced and
        // may still have to swap back.
        if let socket = instance.serving?.socket, socket.release(instance.number) {
            await stopListening(socket, handsOver: successor?.serving != nil && !wasLive)
        }
        if successor?.serving == nil {
            await drain(instance.serving?.configuration.limits.drainTimeout ?? .zero, isOver: wasLive)
        } else {
            // Only now: while the transaction could be reverted, no session was ended for its sake.
            await thread.performed { $0.endRevoked() }
        }
        thread.release(instance.number)
    }

    private func stopListening(_ socket: ListeningSocket, handsOver: Bool) async {
        // One that never accepted was never told to anybody.
        if handsOver, socket.hasServed.load(ordering: .relaxed) { try? await Task.sleep(for: Self.handOver) }
        await thread.performed { $0.stopListening(socket) }
        // Where no thread runs, nobody polls it.
        socket.stop()
        sockets.withLock { $0.removeAll { $0 === socket } }
    }

    /// Ends everybody: at once who only sits there, and by the timeout who has a command running.
    /// - Parameter isOver: Nobody is served from now on; otherwise a disabled instance that is live has said so.
    private func drain(_ timeout: Duration, isOver: Bool) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let deadline = ContinuousClock.now + (Task.isCancelled ? .zero : timeout)
                let isPosted = thread.perform { loop in
                    if isOver { loop.serve(nil, at: nil) }
                    loop.drain(until: deadline, whenDone: continuation)
                }
                if !isPosted { continuation.resume() }
            }
        } onCancel: {
            thread.perform { $0.hurry() }
        }
    }

    public func action(from old: SSHServerSettings, to new: SSHServerSettings) -> ServiceAction { old.action(to: new) }

    public func verification(of settings: SSHServerSettings) -> String { settings.verification }
}

/// Runs work that blocks on a thread that may.
private func offPool<Value: Sendable>(_ work: @escaping @Sendable () throws(ServiceRefusal) -> Value) async throws(ServiceRefusal) -> Value
{
    let result: Result<Value, ServiceRefusal> = await withCheckedContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(returning: Result { () throws(ServiceRefusal) in try work() }) }
    }
    return try result.get()
}
