import Foundation
import Synchronization

#if canImport(Darwin)
package import Darwin
#else
package import Glibc
#endif

/// A new TCP socket.
///
/// It is left to none of the programs that tests start: a copy of a listener would keep its port, and take connections that nobody answers.
package func streamSocket() -> Int32 {
    #if os(Linux)
    socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    #else
    socket(AF_INET, SOCK_STREAM, 0)
    #endif
}

/// An IPv4 address in the shape that the system's calls take.
package struct SocketAddress: Sendable {
    private let address: sockaddr_in

    package init(_ host: String = "127.0.0.1", port: Int) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        self.address = address
    }

    package func pass<Value>(to body: (UnsafePointer<sockaddr>, socklen_t) throws -> Value) rethrows -> Value {
        try withUnsafePointer(to: address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}

/// A port that nobody has, and that the system gives to nobody by itself: below the range that clients' ports come from.
///
/// No test is given one that another has been given.
package func freePort() throws -> Int {
    for _ in 0..<1_000 {
        let port = Int.random(in: 12_000..<32_000)
        guard given.withLock({ $0.insert(port).inserted }) else { continue }
        if (try? Squatter(port: port)) != nil { return port }
    }
    throw TestFailure("no free port")
}

private let given = Mutex(Set<Int>())

/// Some other program that has a port, on every address; it takes connections and says nothing.
package final class Squatter: Sendable {
    package let descriptor: Int32
    package let port: Int

    package init(port: Int, host: String = "0.0.0.0") throws {
        self.port = port
        descriptor = streamSocket()
        // A program that another test is starting has every descriptor for a moment, that of a port just given up among them.
        var isBound = false
        for attempt in 0..<5 where !isBound {
            if attempt > 0 { usleep(10_000) }
            isBound = SocketAddress(host, port: port).pass { bind(descriptor, $0, $1) } == 0
        }
        // What is thrown from here has the socket closed by `deinit`.
        guard isBound, listen(descriptor, 10) == 0 else { throw TestFailure("port \(port) is taken") }
    }

    deinit { close(descriptor) }
}

/// The sockets of this process that belong to an address of its own, whatever other tests open meanwhile.
///
/// All of 127.0.0.0/8 is loopback, so a test can have an address for itself.
package struct OwnAddress: Sendable {
    package let host: String
    private static let next = Atomic<Int>(Int.random(in: 0..<200) * 250)

    package init() {
        let number = Self.next.add(1, ordering: .relaxed).newValue
        host = "127.\(64 + number / 62_500 % 100).\(number / 250 % 250).\(number % 250 + 2)"
    }

    /// How many descriptors of this process are sockets of the address.
    package var descriptors: Int {
        get throws {
            let quads = host.split(separator: ".").compactMap { UInt8($0) }
            let address = quads.reversed().map { String(format: "%02X", $0) }.joined() + ":"
            let table = try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)
            let rows = table.split(separator: "\n").dropFirst().map { $0.split(separator: " ") }
            let nodes = Set(rows.filter { $0.count > 9 && $0[1].hasPrefix(address) }.map { "socket:[\($0[9])]" })
            return openDescriptors().count { nodes.contains($0) }
        }
    }
}

/// What each descriptor of this process is.
package func openDescriptors() -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
}
