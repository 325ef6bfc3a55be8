import CPlueSystem
import Dispatch
import Foundation
import PlueConfig
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A bound, listening socket, made before anybody is told of it. Closed by whoever takes its descriptor over.
struct ListeningSocket {
    let descriptor: Int32
    /// The socket file this process made, and its inode, so that only that one is ever removed.
    let file: SocketFile?

    private static let backlog: Int32 = 1024

    /// Binds an endpoint. Blocking: name resolution may take long.
    /// - Parameter live: The listener it may have to share a port with.
    /// - Throws: ``ServiceRefusal`` in words for the person who changed the setting.
    static func open(_ endpoint: HTTPServerSettings.Endpoint, beside live: Int32?) throws -> ListeningSocket {
        switch endpoint {
        case .tcp(let host, let port): try tcp(host, port, beside: live)
        case .unix(let path): try unix(path)
        }
    }

    // MARK: - TCP

    private static func tcp(_ host: String, _ port: Int, beside live: Int32?) throws -> ListeningSocket {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        #if canImport(Darwin)
        hints.ai_socktype = SOCK_STREAM
        #else
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #endif
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &found)
        guard result == 0, let address = found else {
            throw ServiceRefusal("host '\(host)' cannot be resolved: \(String(cString: gai_strerror(result)))")
        }
        defer { freeaddrinfo(found) }
        let descriptor = make(address.pointee.ai_family)
        guard descriptor >= 0 else { throw refusal(errno, host, port) }
        set(descriptor, SO_REUSEADDR)
        var failure = failureBinding(descriptor, to: address.pointee)
        if failure != 0 {
            // 127.0.0.1:80 and 0.0.0.0:80 exclude each other unless both sockets agree to share, which the live one may do late.
            if failure == EADDRINUSE, let live, self.port(of: live) == port {
                set(live, SO_REUSEPORT)
                set(descriptor, SO_REUSEPORT)
                failure = failureBinding(descriptor, to: address.pointee)
            }
            // A program that is being started has every descriptor until its own code begins: a port that was just given up may be
            // taken for that moment.
            for _ in 0..<startingTries where failure == EADDRINUSE {
                usleep(startingPause)
                failure = failureBinding(descriptor, to: address.pointee)
            }
            if failure != 0 {
                close(descriptor)
                throw refusal(failure, host, port)
            }
        }
        guard listen(descriptor, backlog) == 0 else {
            let failure = errno
            close(descriptor)
            throw refusal(failure, host, port)
        }
        return ListeningSocket(descriptor: descriptor, file: nil)
    }

    private static let startingTries = 5
    private static let startingPause: UInt32 = 10_000

    private static func failureBinding(_ descriptor: Int32, to address: addrinfo) -> Int32 {
        bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno
    }

    private static func refusal(_ error: Int32, _ host: String, _ port: Int) -> ServiceRefusal {
        switch error {
        case EADDRINUSE: ServiceRefusal("port \(port) is already in use on \(host) by another program")
        case EACCES: ServiceRefusal("binding port \(port) needs root or CAP_NET_BIND_SERVICE")
        case EADDRNOTAVAIL: ServiceRefusal("host \(host) is not an address of this machine")
        default: ServiceRefusal("\(host):\(port) cannot be bound: \(Errno(rawValue: error))")
        }
    }

    /// The port a socket is bound to; 0 for none.
    static func port(of descriptor: Int32) -> Int { Int(plue_port_of_descriptor(descriptor)) }

    // MARK: - Socket files

    private static func unix(_ path: FilePath) throws -> ListeningSocket {
        // Bound under another name and renamed: there is no moment without a socket, and none with one that others may open.
        let temporary = FilePath("\(path).\(getpid()).tmp")
        guard var address = unixAddress(temporary) else {
            throw ServiceRefusal("the socket's path \(path) is too long: at most \(longestPath - 16) bytes")
        }
        // The rename would replace whatever is there.
        if let type = (try? FileManager.default.attributesOfItem(atPath: path.string))?[.type] as? FileAttributeType, type != .typeSocket {
            throw ServiceRefusal("\(path) exists and is not a socket")
        }
        if answers(path) { throw ServiceRefusal("\(path) is in use by another process") }
        let descriptor = make(AF_UNIX)
        guard descriptor >= 0 else { throw ServiceRefusal("\(path) cannot be made: \(Errno(rawValue: errno))") }
        _ = temporary.withPlatformString { unlink($0) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard bound == 0, temporary.withPlatformString({ chmod($0, 0o600) }) == 0, listen(descriptor, backlog) == 0,
            let file = SocketFile(temporary, finally: path),
            temporary.withPlatformString({ from in path.withPlatformString { rename(from, $0) } }) == 0
        else {
            let failure = errno
            close(descriptor)
            _ = temporary.withPlatformString { unlink($0) }
            throw ServiceRefusal("\(path) cannot be made: \(Errno(rawValue: failure))")
        }
        return ListeningSocket(descriptor: descriptor, file: file)
    }

    private static let longestPath = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    private static func unixAddress(_ path: FilePath) -> sockaddr_un? {
        let bytes = Array(path.string.utf8)
        guard bytes.count <= longestPath else { return nil }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    /// Whether somebody accepts connections there; a socket file whose process died does not.
    private static func answers(_ path: FilePath) -> Bool {
        guard var address = unixAddress(path) else { return false }
        let descriptor = make(AF_UNIX)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        return connected == 0 || errno == EAGAIN
    }

    // MARK: - Descriptors

    /// A stream socket that does not block, and that no program which is started has even for a moment: it would keep the port.
    private static func make(_ family: Int32) -> Int32 {
        #if canImport(Darwin)
        let descriptor = socket(family, SOCK_STREAM, 0)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return descriptor
        #else
        return socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        #endif
    }

    private static func set(_ descriptor: Int32, _ option: Int32) {
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }
}

/// A socket file that this process made.
struct SocketFile: Sendable {
    private let path: FilePath
    private let identity: Identity

    /// Which file it is, whatever its name.
    private struct Identity: Hashable {
        let device: Int
        let inode: Int

        init?(_ path: FilePath) {
            guard let attributes = try? FileManager.default.attributesOfItem(atPath: path.string),
                let device = attributes[.systemNumber] as? Int, let inode = attributes[.systemFileNumber] as? Int
            else { return nil }
            self.device = device
            self.inode = inode
        }
    }

    init?(_ made: FilePath, finally path: FilePath) {
        guard let identity = Identity(made) else { return nil }
        self.path = path
        self.identity = identity
    }

    /// Removes the file, unless another has taken its place.
    func remove() {
        guard Identity(path) == identity else { return }
        _ = path.withPlatformString { unlink($0) }
    }
}

/// Runs work that blocks on a thread that may.
func offPool<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(returning: work()) }
    }
}
