import Foundation
import Synchronization
import TestGround

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A socket's type. No program that another test starts meanwhile is to have it too: it would keep a port, or a connection open.
let streamType = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)

/// A connection as a client has it: nothing but a socket, so that a test sees every byte, every close, and every reset.
///
/// Over TLS the socket's other end is `openssl s_client`, a client nobody here wrote.
final class Client: Sendable {
    private let descriptor: Int32
    /// What does the TLS of the connection.
    let process: Process?
    /// What was read beyond the last response.
    private let rest = Mutex([UInt8]())

    /// Nothing takes longer than this; a test that runs into it fails there instead of hanging.
    private static let patience = 20

    struct Failure: Error, CustomStringConvertible {
        let description: String
        let code: Int32
        init(_ what: String, _ code: Int32 = errno) {
            self.code = code
            description = "\(what): \(String(cString: strerror(code)))"
        }
    }

    struct Response {
        var status = 0
        /// By lower-case name.
        var headers: [String: String] = [:]
        var body = ""
        var isLast: Bool { headers["connection"]?.lowercased() == "close" }
    }

    private init(_ descriptor: Int32, through process: Process? = nil) {
        self.descriptor = descriptor
        self.process = process
    }

    deinit {
        close(descriptor)
        if let process, process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    // MARK: - Connecting

    static func connect(_ port: Int, on host: String = "127.0.0.1") async throws -> Client {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        return try await connect(AF_INET, address)
    }

    static func connect(socket path: String) async throws -> Client {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return try await connect(AF_UNIX, address)
    }

    /// Connects by TLS; a handshake that fails shows as the end of the connection.
    /// - Parameter arguments: More for `openssl s_client`.
    static func connect(tls port: Int, on host: String = "127.0.0.1", _ arguments: [String] = []) async throws -> Client {
        try await blocking {
            var ends: [Int32] = [0, 0]
            guard socketpair(AF_UNIX, streamType, 0, &ends) == 0 else { throw Failure("socketpair") }
            let theirs = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/openssl")
            process.arguments = ["s_client", "-quiet", "-no_ign_eof", "-connect", "\(host):\(port)"] + arguments
            process.standardInput = theirs
            process.standardOutput = theirs
            process.standardError = FileHandle.nullDevice
            let client = Client(ends[0], through: process)
            client.limitPatience()
            try process.run()
            try theirs.close()
            return client
        }
    }

    private func limitPatience() {
        var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    private static func connect<Address: BitwiseCopyable & Sendable>(_ family: Int32, _ address: Address) async throws -> Client {
        try await blocking {
            let descriptor = socket(family, streamType, 0)
            guard descriptor >= 0 else { throw Failure("socket") }
            let client = Client(descriptor)
            client.limitPatience()
            let result = withUnsafeBytes(of: address) { bytes in
                Glibc.connect(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
            }
            guard result == 0 else { throw Failure("connect") }
            return client
        }
    }

    // MARK: - Talking

    func send(_ text: String) async throws { try await send(bytes: Array(text.utf8)) }

    func send(bytes: [UInt8]) async throws {
        try await blocking { [descriptor] in
            var bytes = bytes[...]
            while !bytes.isEmpty {
                let count = bytes.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(truncatingIfNeeded: MSG_NOSIGNAL))
                }
                guard count > 0 else { throw Failure("send") }
                bytes = bytes.dropFirst(count)
            }
        }
    }

    /// A request without a body, and its response.
    func get(_ path: String = "/hello", _ headers: String = "") async throws -> Response {
        try await send("GET \(path) HTTP/1.1\r\nHost: test\r\n\(headers)\r\n")
        return try await response()
    }

    /// The next response; its body has a `Content-Length`.
    func response() async throws -> Response {
        try await blocking { [self] in
            let (head, length) = try readHead()
            var response = head
            while rest.withLock({ $0.count }) < length {
                guard try readSome() else { throw Failure("the body was cut short", 0) }
            }
            response.body = rest.withLock { rest in
                defer { rest.removeFirst(length) }
                return String(decoding: rest.prefix(length), as: UTF8.self)
            }
            return response
        }
    }

    /// Waits for a text in what comes, and drops everything up to its end.
    func receive(_ text: String) async throws {
        try await blocking { [self] in
            while true {
                let found = rest.withLock { rest in
                    guard let range = rest.firstRange(of: Array(text.utf8)) else { return false }
                    rest.removeFirst(range.upperBound)
                    return true
                }
                if found { return }
                guard try readSome() else { throw Failure("closed before '\(text)'", 0) }
            }
        }
    }

    /// Waits until the server has closed; anything it still says is an error.
    func expectEnd() async throws {
        try await blocking { [self] in
            let isOpen = try readSome()
            if isOpen { throw Failure("'\(String(decoding: rest.withLock { $0 }, as: UTF8.self))' instead of the end", 0) }
        }
    }

    /// Whether anything has come that was not read yet, the end included.
    var hasNews: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    private func readHead() throws -> (Response, Int) {
        let end = Array("\r\n\r\n".utf8)
        while true {
            let head: [UInt8]? = rest.withLock { rest in
                guard let range = rest.firstRange(of: end) else { return nil }
                defer { rest.removeFirst(range.upperBound) }
                return Array(rest[..<range.lowerBound])
            }
            if let head {
                var response = Response()
                let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
                response.status = lines.first.flatMap { Int($0.split(separator: " ").dropFirst().first ?? "") } ?? 0
                for line in lines.dropFirst() {
                    let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
                    if parts.count == 2 { response.headers[parts[0].lowercased()] = parts[1] }
                }
                return (response, response.headers["content-length"].flatMap { Int($0) } ?? 0)
            }
            guard try readSome() else { throw Failure("closed before a response", 0) }
        }
    }

    /// False at the end.
    private func readSome() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { throw Failure("recv") }
        rest.withLock { $0 += buffer.prefix(count) }
        return count > 0
    }
}
