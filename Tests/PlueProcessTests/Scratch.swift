import Foundation
import Logging
import PlueConfig
import PlueProcess
import Synchronization
import SystemPackage
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A directory of its own for one test, gone afterwards. Its name is short: a socket's path may not be long.
struct Scratch: Sendable {
    let path: FilePath

    static func run<Value>(_ body: (Scratch) async throws -> Value) async throws -> Value {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("plue-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: root) }
        return try await body(Scratch(path: FilePath(root.path)))
    }

    subscript(name: String) -> FilePath { path.appending(name) }

    @discardableResult
    func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws -> FilePath {
        try text.write(toFile: self[name].string, atomically: false, encoding: .utf8)
        chmod(self[name].string, mode)
        return self[name]
    }

    func read(_ name: String) throws -> String { try String(contentsOfFile: self[name].string, encoding: .utf8) }

    /// What is in the directory and hidden: candidates and files that are kept.
    var hidden: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: path.string).filter { $0.hasPrefix(".") }.sorted() }
    }

    func mode(_ name: String) -> mode_t {
        var status = stat()
        return stat(self[name].string, &status) == 0 ? status.st_mode & 0o7777 : 0
    }
}

/// Waits until something is so; after 20 seconds the test fails there.
func eventually(
    _ what: Comment, within limit: Duration = .seconds(20), at location: SourceLocation = #_sourceLocation, _ isMet: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !isMet() {
        if ContinuousClock.now > deadline {
            Issue.record(what, sourceLocation: location)
            return
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// A port that nobody has, and that the system gives to nobody by itself: below the range that clients' ports come from.
func freePort() throws -> Int {
    for _ in 0..<1_000 {
        let port = Int.random(in: 12_000..<32_000)
        guard taken.withLock({ $0.insert(port).inserted }) else { continue }
        if (try? Squatter(port: port)) != nil { return port }
    }
    throw Failure("no free port")
}

private let taken = Mutex(Set<Int>())

struct Failure: Error {
    let what: String
    init(_ what: String) { self.what = what }
}

/// Some other program that has a port.
final class Squatter: Sendable {
    private let descriptor: Int32
    let port: Int

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.port = port
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = in_addr_t(INADDR_ANY)
        let result = withUnsafeBytes(of: address) { bytes in
            bind(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        guard result == 0, listen(descriptor, 1) == 0 else { throw Failure("bind") }
    }

    deinit { close(descriptor) }
}

/// What a server on loopback says first; `nil` when nobody takes the connection.
func greeting(of port: Int) async throws -> String? {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(with: Result { try blockingGreeting(port) }) }
    }
}

private func blockingGreeting(_ port: Int) throws -> String? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port)).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let connected = withUnsafeBytes(of: address) { bytes in
        connect(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    guard connected == 0 else { return nil }
    var buffer = [UInt8](repeating: 0, count: 200)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
}

extension HostPort {
    static func loopback(_ port: Int) -> HostPort {
        guard let address = HostPort("127.0.0.1:\(port)") else { preconditionFailure("no such port") }
        return address
    }
}

extension TemplateValues {
    /// `["web.port": .integer(80)]`
    init(_ values: [String: PlainValue], secrets: [String: PlainValue] = [:], unset: [String] = []) {
        self.init()
        func key(_ name: String) -> SettingKey {
            guard let key = SettingKey(name) else { preconditionFailure("\(name) is no key") }
            return key
        }
        for (name, value) in values { self[key(name)] = .plain(value) }
        for (name, value) in secrets { self[key(name)] = .secret(Secret(value)) }
        for name in unset { self[key(name)] = .unset }
    }
}
