import Foundation
import Synchronization
import TestGround

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
        descriptor = streamSocket()
        guard descriptor >= 0 else { throw Failure(code: errno) }
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result = SocketAddress(host, port: port).pass { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 else {
            let code = errno
            close()
            throw Failure(code: code)
        }
    }

    deinit { close() }

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

/// Whether nobody listens there.
func refuses(_ port: Int) async -> Bool {
    do { _ = try await blocking { _ = try Socket(port) } } catch { return (error as? Socket.Failure)?.code == ECONNREFUSED }
    return false
}

/// What a server says first; `nil` when it says nothing.
func greeting(of port: Int, within milliseconds: Int32 = 20_000) async throws -> String? {
    try await blocking { try Socket(port).receive(within: milliseconds).map { String(decoding: $0, as: UTF8.self) } }
}
