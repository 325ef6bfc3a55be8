import Foundation
import Synchronization

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A connection as a client has it: nothing but a socket.
final class Socket: Sendable {
    private let descriptor: Int32
    private let isClosed = Atomic<Bool>(false)

    struct Failure: Error { let code: Int32 }

    /// Connects, waiting for a moment at most.
    init(_ port: Int, host: String = "127.0.0.1", from source: String? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(code: errno) }
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result = Self.address(host, port).withUnsafe { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 else {
            let code = errno
            close()
            throw Failure(code: code)
        }
    }

    deinit { close() }

    private struct Address {
        var address = sockaddr_in()
        func withUnsafe(_ body: (UnsafePointer<sockaddr>?, socklen_t) -> Int32) -> Int32 {
            withUnsafeBytes(of: address) { body($0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count)) }
        }
    }

    private static func address(_ host: String, _ port: Int) -> Address {
        var address = Address()
        address.address.sin_family = sa_family_t(AF_INET)
        address.address.sin_port = in_port_t(UInt16(port)).bigEndian
        inet_pton(AF_INET, host, &address.address.sin_addr)
        return address
    }

    func close() {
        if !isClosed.exchange(true, ordering: .relaxed), descriptor >= 0 { _ = Glibc.close(descriptor) }
    }

    /// Sends what it can; who is at the other end may have closed.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(truncatingIfNeeded: MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// What has come within some time; `nil` at the end, and when nothing came.
    func receive(within milliseconds: Int32 = 20_000) -> [UInt8]? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, milliseconds) > 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer.prefix(count)) : nil
    }

    /// Reads until the server closes; false when it has not, after a while.
    func isClosedByPeer(within milliseconds: Int32 = 20_000) -> Bool {
        let deadline = ContinuousClock.now + .milliseconds(Int64(milliseconds))
        while ContinuousClock.now < deadline {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 100) > 0 else { continue }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            if recv(descriptor, &buffer, buffer.count, 0) <= 0 { return true }
        }
        return false
    }
}

/// Sockets block; the threads of Swift's pool may not.
func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
    }
}

/// Whether nobody listens there.
func refuses(_ port: Int) async -> Bool {
    do { _ = try await blocking { _ = try Socket(port) } } catch { return (error as? Socket.Failure)?.code == ECONNREFUSED }
    return false
}

/// What a server says first; `nil` when it says nothing.
func greeting(of port: Int, within milliseconds: Int32 = 20_000) async throws -> String? {
    try await blocking { try Socket(port).receive(within: milliseconds).map { String(decoding: $0, as: UTF8.self) } }
}

/// The sockets of this process that belong to an address of its own, whatever other tests open meanwhile.
///
/// All of 127.0.0.0/8 is loopback, so a test can have an address for itself.
struct OwnAddress {
    let host: String
    private static let next = Atomic<Int>(Int.random(in: 0..<200) * 250)

    init() {
        let number = Self.next.add(1, ordering: .relaxed).newValue
        host = "127.\(164 + number / 62_500 % 60).\(number / 250 % 250).\(number % 250 + 2)"
    }

    /// How many descriptors of this process are sockets of the address.
    var descriptors: Int {
        get throws {
            let quads = host.split(separator: ".").compactMap { UInt8($0) }
            let address = quads.reversed().map { String(format: "%02X", $0) }.joined() + ":"
            let table = try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)
            let rows = table.split(separator: "\n").dropFirst().map { $0.split(separator: " ") }
            let nodes = Set(rows.filter { $0.count > 9 && $0[1].hasPrefix(address) }.map { "socket:[\($0[9])]" })
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
            return names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
                .count { nodes.contains($0) }
        }
    }
}
