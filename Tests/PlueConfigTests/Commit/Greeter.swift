import Dispatch
import PlueConfig
import ServiceLifecycle
import Synchronization
import TestGround

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A small real service that can only restart: it listens on a port and greets whoever connects.
struct Greeter: Service {
    struct Settings: Sendable {
        let port: Int
        var greeting: String
        /// What it really says; the greeting unless set.
        var says: String?
        /// Ends with an error as soon as somebody asks.
        var endsWhenAsked = false
        /// Several may listen on the port.
        var sharesPort = false
        /// Takes no notice of a graceful shutdown.
        var isStubborn = false

        /// With a port that nobody has.
        init(_ greeting: String, sharesPort: Bool = false) throws {
            self.sharesPort = sharesPort
            self.greeting = greeting
            port = try freePort()
        }

        func with(_ greeting: String) -> Settings {
            var settings = self
            (settings.greeting, settings.isStubborn) = (greeting, false)
            return settings
        }
    }

    private let settings: Settings

    init(_ settings: Settings) { self.settings = settings }

    func run() async throws {
        let (settings, isEnding) = (settings, Flag())
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await Self.serve(settings, until: isEnding)
            } onGracefulShutdown: {
                if !settings.isStubborn { isEnding.set() }
            }
        } onCancel: {
            isEnding.set()
        }
    }

    private static func serve(_ settings: Settings, until isEnding: Flag) async throws {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "greeter").async {
                continuation.resume(
                    with: Result {
                        let listener = try Listener.patient(port: settings.port, isShared: settings.sharesPort)
                        while !isEnding.isSet {
                            guard let asked = listener.greet(settings.says ?? settings.greeting) else { continue }
                            if settings.endsWhenAsked, asked == "end" { throw ServiceRefusal("was asked to end") }
                        }
                    })
            }
        }
    }
}

/// A listening socket on loopback, closed with its last reference.
private final class Listener {
    private let descriptor: Int32

    init(port: Int, isShared: Bool = false) throws {
        descriptor = streamSocket()
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        if isShared { setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, socklen_t(MemoryLayout<Int32>.size)) }
        let bound = SocketAddress(port: port).pass { bind(descriptor, $0, $1) }
        // What is thrown from here has the socket closed by `deinit`.
        guard bound == 0, listen(descriptor, 16) == 0 else { throw ServiceRefusal("port \(port) is taken") }
    }

    /// A program that another test starts in this moment holds a copy of every socket until it is on its own.
    static func patient(port: Int, isShared: Bool) throws -> Listener {
        let deadline = ContinuousClock.now + .seconds(2)
        while true {
            do {
                return try Listener(port: port, isShared: isShared)
            } catch {
                guard ContinuousClock.now < deadline else { throw error }
                usleep(10_000)
            }
        }
    }

    deinit { close(descriptor) }

    /// Greets the next client, if one comes soon, and returns what it asked.
    func greet(_ greeting: String) -> String? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 10) > 0 else { return nil }
        let client = accept(descriptor, nil, nil)
        guard client >= 0 else { return nil }
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        defer { close(client) }
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = recv(client, &buffer, buffer.count, 0)
        _ = greeting.withCString { send(client, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}

/// What is answered on a port of loopback; `nil` when nobody takes the connection.
func greeting(of port: Int, asking question: String = "hello?") async throws -> String? {
    try await blocking { blockingGreeting(of: port, asking: question) }
}

private func blockingGreeting(of port: Int, asking question: String) -> String? {
    let descriptor = streamSocket()
    defer { close(descriptor) }
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    guard SocketAddress(port: port).pass(to: { connect(descriptor, $0, $1) }) == 0 else { return nil }
    _ = question.withCString { send(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
    var buffer = [UInt8](repeating: 0, count: 100)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
}
