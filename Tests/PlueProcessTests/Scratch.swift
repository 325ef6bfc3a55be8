import Foundation
import Logging
import PlueConfig
import PlueProcess
import Synchronization
import SystemPackage
import TestGround
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

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

/// What a server on loopback says first; `nil` when nobody takes the connection.
func greeting(of port: Int) async throws -> String? {
    try await blocking {
        let descriptor = streamSocket()
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard SocketAddress(port: port).pass(to: { connect(descriptor, $0, $1) }) == 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 200)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
    }
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
