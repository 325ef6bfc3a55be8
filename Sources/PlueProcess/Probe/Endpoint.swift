public import PlueConfig
public import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// Where a daemon takes connections.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A host and port; `0.0.0.0` and `[::]` are reached through loopback.
    case tcp(HostPort)
    /// A socket file.
    case unix(FilePath)

    /// `127.0.0.1:80`, or the socket's path.
    public var description: String {
        switch self {
        case .tcp(let address): address.description
        case .unix(let path): path.string
        }
    }

    /// `nil` when it takes a connection, otherwise why not. Blocks for the time given at most, and for as long as a name takes to
    /// be resolved.
    func problem(within milliseconds: Int32) -> String? {
        do throws(Errno) {
            switch self {
            case .unix(let path):
                guard var address = unixAddress(path) else { return "\(path) is too long for a socket's path" }
                try withUnsafePointer(to: &address) { pointer throws(Errno) in
                    try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address throws(Errno) in
                        try connect(AF_UNIX, address, socklen_t(MemoryLayout<sockaddr_un>.size), milliseconds)
                    }
                }
            case .tcp(let address):
                let host = ["0.0.0.0": "127.0.0.1", "::": "::1"][address.host] ?? address.host
                guard let resolved = ResolvedAddresses(host, address.port) else { return "'\(host)' cannot be resolved" }
                var last = Errno.connectionRefused
                for candidate in resolved {
                    do throws(Errno) {
                        try connect(candidate.ai_family, candidate.ai_addr, candidate.ai_addrlen, milliseconds)
                        return nil
                    } catch {
                        last = error
                    }
                }
                throw last
            }
            return nil
        } catch {
            return "\(self) does not take connections: \(error)"
        }
    }

    private func connect(
        _ family: Int32, _ address: UnsafePointer<sockaddr>?, _ size: socklen_t, _ milliseconds: Int32
    ) throws(Errno) {
        let descriptor = socket(family, streamSocket, 0)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        if systemConnect(descriptor, address, size) == 0 { return }
        // A socket file whose backlog is full says EAGAIN: somebody listens.
        if errno == EAGAIN { return }
        guard errno == EINPROGRESS else { throw Errno(rawValue: errno) }
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&entry, 1, milliseconds) > 0 else { throw Errno.timedOut }
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else { throw Errno(rawValue: errno) }
        if code != 0 { throw Errno(rawValue: code) }
    }
}

extension HostPort {
    /// `nil` when a daemon could listen there, otherwise why not. Binds it for a moment.
    ///
    /// An address that this process may not bind, being below 1024, is left to the daemon, which may.
    func bindProblem() -> String? {
        guard let resolved = ResolvedAddresses(host, port), let address = resolved.first(where: { _ in true }) else {
            return "'\(host)' cannot be resolved"
        }
        let descriptor = socket(address.ai_family, streamSocket, 0)
        guard descriptor >= 0 else { return "\(self) cannot be tried: \(Errno(rawValue: errno))" }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var on: Int32 = 1
        // As daemons do: connections that are ending are not in the way, and [::] leaves 0.0.0.0 to others.
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        if address.ai_family == AF_INET6 {
            setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        guard bind(descriptor, address.ai_addr, address.ai_addrlen) == 0, listen(descriptor, 1) == 0 else {
            switch errno {
            case EACCES: return nil
            case EADDRINUSE: return "port \(port) is already in use on \(host) by another program"
            case EADDRNOTAVAIL: return "host \(host) is not an address of this machine"
            case let code: return "\(self) cannot be bound: \(Errno(rawValue: code))"
            }
        }
        return nil
    }
}

#if canImport(Darwin)
private let streamSocket = SOCK_STREAM
private let systemConnect = Darwin.connect
#else
private let streamSocket = Int32(SOCK_STREAM.rawValue)
private let systemConnect = Glibc.connect
#endif

private func unixAddress(_ path: FilePath) -> sockaddr_un? {
    var address = sockaddr_un()
    let bytes = Array(path.string.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return address
}

/// What the system makes of a host and a port.
private final class ResolvedAddresses: Sequence {
    private let first: UnsafeMutablePointer<addrinfo>?

    init?(_ host: String, _ port: Int) {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICSERV
        hints.ai_socktype = streamSocket
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, found != nil else { return nil }
        first = found
    }

    deinit { freeaddrinfo(first) }

    func makeIterator() -> some IteratorProtocol<addrinfo> {
        sequence(first: first, next: { $0?.pointee.ai_next }).lazy.compactMap { $0?.pointee }.makeIterator()
    }
}
