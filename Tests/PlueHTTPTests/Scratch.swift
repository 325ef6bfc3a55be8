import Foundation
import Hummingbird
import Logging
import NIOCore
import PlueConfig
import PlueHTTP
import Subprocess
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
func withScratch<Value>(_ body: (FilePath) async throws -> Value) async throws -> Value {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("plue-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: root) }
    return try await body(FilePath(root.path))
}

/// How clients talk to a server.
enum Wire: CaseIterable, Sendable, CustomTestStringConvertible {
    case plain, tls

    var testDescription: String { self == .plain ? "plain HTTP" : "TLS" }

    func connect(_ port: Int) async throws -> Client {
        switch self {
        case .plain: try await .connect(port)
        case .tls: try await .connect(tls: port)
        }
    }

    /// Settings of a server for it.
    func settings(_ port: Int = 0, _ change: (inout HTTPServerSettings.Limits) -> Void = { _ in }) async throws -> HTTPServerSettings {
        var settings = HTTPServerSettings.loopback(port, change)
        if self == .tls { settings.tls = try await SelfSigned.any.value }
        return settings
    }
}

/// A server with a few routes, driven through its phases as the committer does it.
final class Stage: ServiceStage {
    let service: HTTPServer
    let live = Live<HTTPServer.Instance>()
    /// Holds the answers of `/held` back.
    let gate = Gate()
    private let arrivals = Counter()

    init(logger: Logger = quiet, now: @escaping @Sendable () -> Date = { Date() }) {
        let (gate, arrivals, router) = (gate, arrivals, Router(context: PeerRequestContext.self))
        router.get("hello") { _, _ in "hello" }
        router.get("peer") { _, context in "\(context.peer)" }
        router.get("held") { _, _ in
            arrivals.increase()
            await gate.pass()
            return "held"
        }
        router.get("large") { _, _ in
            Response(status: .ok, body: .init(byteBuffer: ByteBuffer(repeating: UInt8(ascii: "x"), count: Self.large)))
        }
        router.get("ticks") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/event-stream"],
                body: ResponseBody { writer in
                    for tick in 1... {
                        try await writer.write(ByteBuffer(string: "data: tick \(tick)\n\n"))
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    try await writer.finish(nil)
                })
        }
        router.get("flood") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/event-stream"],
                body: ResponseBody { writer in
                    while true { try await writer.write(ByteBuffer(repeating: UInt8(ascii: "x"), count: 65_536)) }
                })
        }
        router.get("stuck") { _, _ in
            try await Task.sleep(for: .seconds(60))
            return "stuck"
        }
        router.post("size") { request, _ in
            var size = 0
            for try await part in request.body { size += part.readableBytes }
            return "\(size)"
        }
        router.post("collected") { request, context in
            "\(try await request.body.collect(upTo: context.maxUploadSize).readableBytes)"
        }
        service = HTTPServer(router.buildResponder(), logger: logger, now: now)
    }

    /// The size of `/large`, far beyond what any buffer on the way takes.
    static let large = 32 * 1_048_576

    /// How many requests have reached `/held`.
    var arrived: Int { arrivals.value }

    var server: HTTPServer { service }
    var port: Int { service.port ?? 0 }

    func release() { gate.open() }

    /// Starts a server, and takes it down again however the body ends.
    static func run<Value>(
        _ settings: HTTPServerSettings = .loopback(), logger: Logger = quiet, now: @escaping @Sendable () -> Date = { Date() },
        _ body: (Stage) async throws -> Value
    ) async throws -> Value {
        try await Stage(logger: logger, now: now).run(settings, body)
    }
}

extension HTTPServerSettings {
    static func loopback(_ port: Int = 0, host: String = "127.0.0.1", _ change: (inout Limits) -> Void = { _ in }) -> HTTPServerSettings {
        var limits = Limits()
        change(&limits)
        return HTTPServerSettings(endpoint: .tcp(host: host, port: port), limits: limits)
    }

    static func socket(_ path: FilePath) -> HTTPServerSettings { HTTPServerSettings(endpoint: .unix(path)) }

    func with(_ tls: TLS?) -> HTTPServerSettings {
        var settings = self
        settings.tls = tls
        return settings
    }

    func with(_ change: (inout Limits) -> Void) -> HTTPServerSettings {
        var settings = self
        change(&settings.limits)
        return settings
    }
}

/// The status that curl, a client nobody here wrote, gets; empty when it gets none.
func curl(_ arguments: String...) async throws -> String { try await curl(arguments) }

func curl(_ arguments: [String]) async throws -> String {
    let arguments = ["--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"] + arguments
    let result = try await Subprocess.run(.name("curl"), arguments: Arguments(arguments), output: .string(limit: 1_000))
    return result.terminationStatus.isSuccess ? result.standardOutput : "curl failed: \(result.terminationStatus)"
}
