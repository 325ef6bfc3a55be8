import CLibSSH
import CPlueSystem
import PlueConfig
import Synchronization
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A bound, listening socket, made before anybody is told of it; non-blocking and close-on-exec.
///
/// Not libssh's own: that one has neither flag, a queue of ten, and takes port 80000 for 14464.
final class ListeningSocket: Sendable {
    let descriptor: Int32
    let endpoint: SSHServerSettings.Endpoint

    private let isClosed = Atomic<Bool>(false)
    /// Whether anybody was ever told of it.
    let hasServed = Atomic<Bool>(false)

    /// The instances that serve by it, or may again.
    private let holders = Mutex<Set<UInt64>>([])

    private static let backlog: Int32 = 1024

    private init(descriptor: Int32, endpoint: SSHServerSettings.Endpoint) {
        self.descriptor = descriptor
        self.endpoint = endpoint
    }

    deinit { stop() }

    /// Closes the socket, and nothing that came through it. Harmless when it is closed; not while another thread uses it.
    func stop() {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        // For every copy there is: a program that is being started has one until its own code begins, which nobody would answer on.
        shutdown(descriptor, Int32(SHUT_RD))
        close(descriptor)
    }

    /// Whether it holds its address still.
    var isOpen: Bool { !isClosed.load(ordering: .acquiring) }

    /// Keeps it open for an instance, until ``release(_:)``.
    func hold(for instance: UInt64) { holders.withLock { _ = $0.insert(instance) } }

    /// - Returns: Whether nobody holds it any more.
    func release(_ instance: UInt64) -> Bool {
        holders.withLock { holders in
            holders.remove(instance)
            return holders.isEmpty
        }
    }

    /// The port, the real one where 0 was asked for.
    var port: Int { Int(plue_port_of_descriptor(descriptor)) }

    /// Where this machine's own clients reach it.
    var reachable: SSHServerSettings.Endpoint {
        let host = ["0.0.0.0": "127.0.0.1", "::": "::1"][endpoint.host] ?? endpoint.host
        return .init(host: host, port: port)
    }

    /// Binds an endpoint. Blocking: name resolution may take long.
    /// - Parameter live: The listener it may have to share a port with.
    /// - Throws: ``ServiceRefusal`` in words for the person who changed the setting.
    static func open(_ endpoint: SSHServerSettings.Endpoint, beside live: ListeningSocket?) throws(ServiceRefusal) -> ListeningSocket {
        guard (0...65_535).contains(endpoint.port) else { throw ServiceRefusal("there is no port \(endpoint.port)") }
        return try Resolved.with(endpoint, isPassive: true) { address throws(ServiceRefusal) in
            let descriptor = plue_stream_socket(address.ai_family)
            guard descriptor >= 0 else { throw refusal(errno, endpoint) }
            let socket = ListeningSocket(descriptor: descriptor, endpoint: endpoint)
            share(descriptor, SO_REUSEADDR)
            if Self.bind(descriptor, address) != 0 {
                var failure = errno
                // 127.0.0.1:22 and 0.0.0.0:22 exclude each other unless both agree to share, which the live one may do late.
                if failure == EADDRINUSE, let live, live.port == endpoint.port {
                    share(live.descriptor, SO_REUSEPORT)
                    share(descriptor, SO_REUSEPORT)
                    failure = Self.bind(descriptor, address) == 0 ? 0 : errno
                }
                if failure != 0 { throw refusal(failure, endpoint) }
            }
            guard listen(descriptor, backlog) == 0 else { throw refusal(errno, endpoint) }
            return socket
        }
    }

    private static func bind(_ descriptor: Int32, _ address: addrinfo) -> Int32 {
        #if canImport(Darwin)
        Darwin.bind(descriptor, address.ai_addr, address.ai_addrlen)
        #else
        Glibc.bind(descriptor, address.ai_addr, address.ai_addrlen)
        #endif
    }

    private static func share(_ descriptor: Int32, _ option: Int32) {
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func refusal(_ error: Int32, _ endpoint: SSHServerSettings.Endpoint) -> ServiceRefusal {
        switch error {
        case EADDRINUSE: ServiceRefusal("port \(endpoint.port) is already in use on \(endpoint.host) by another program")
        case EACCES: ServiceRefusal("binding port \(endpoint.port) needs root or CAP_NET_BIND_SERVICE")
        case EADDRNOTAVAIL: ServiceRefusal("host \(endpoint.host) is not an address of this machine")
        default: ServiceRefusal("\(endpoint) cannot be bound: \(Errno(rawValue: error))")
        }
    }
}

/// Name resolution, for as long as its result is used.
enum Resolved {
    static func with<Value>(
        _ endpoint: SSHServerSettings.Endpoint, isPassive: Bool, _ body: (addrinfo) throws(ServiceRefusal) -> Value
    ) throws(ServiceRefusal) -> Value {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICSERV | (isPassive ? AI_PASSIVE : 0)
        #if canImport(Darwin)
        hints.ai_socktype = SOCK_STREAM
        #else
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #endif
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(endpoint.host, String(endpoint.port), &hints, &found)
        guard result == 0, let found else {
            throw ServiceRefusal("host '\(endpoint.host)' cannot be resolved: \(String(cString: gai_strerror(result)))")
        }
        defer { freeaddrinfo(found) }
        return try body(found.pointee)
    }
}
