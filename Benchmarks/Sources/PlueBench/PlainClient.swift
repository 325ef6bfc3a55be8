import Foundation
import Hummingbird
import NIOCore
import PlueHTTP

#if canImport(Glibc)
import Glibc
#endif

/// Answers everything with the same word.
struct PlainResponder: HTTPResponder {
    typealias Context = PeerRequestContext

    @concurrent
    func respond(to request: Request, context: PeerRequestContext) async throws -> Response {
        Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: "hello")))
    }
}

/// A client on one connection that blocks: nothing but the exchange is in what it measures.
final class PlainClient: @unchecked Sendable {
    // Unchecked: the descriptor never changes, and one thread at a time uses it.
    private let descriptor: Int32

    init?(_ port: Int) {
        guard let descriptor = connection(to: port) else { return nil }
        self.descriptor = descriptor
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { Glibc.close(descriptor) }

    /// Sends a request and reads what comes at once; answers here are short.
    func exchange(_ request: String) -> String {
        var sent = 0
        let bytes = Array(request.utf8)
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return "" }
            sent += count
        }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }

    /// The milliseconds of each request, asked one after the other.
    func latencies(for seconds: Double) -> [Double] {
        let end = now() + UInt64(seconds * 1e9)
        var latencies: [Double] = []
        while now() < end {
            let start = now()
            guard exchange("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").hasPrefix("HTTP/1.1 200") else { break }
            latencies.append(Double(now() - start) / 1e6)
        }
        return latencies
    }
}

/// Whether somebody takes connections at a port of this machine.
func connects(_ port: Int) -> Bool { connection(to: port).map { close($0) == 0 } ?? false }

private func connection(to port: Int) -> Int32? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    let isConnected = withLoopback(port) { connect(descriptor, $0, $1) == 0 }
    guard isConnected else {
        close(descriptor)
        return nil
    }
    return descriptor
}

/// A port that nobody has.
func freePort() -> Int {
    while true {
        let port = Int.random(in: 12_000..<32_000)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        if withLoopback(port, { bind(descriptor, $0, $1) == 0 }) { return port }
    }
}

private func withLoopback<Result>(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
}
