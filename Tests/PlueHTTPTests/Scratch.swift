import Foundation
import Hummingbird
import Logging
import NIOCore
import PlueConfig
import PlueHTTP
import Subprocess
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
final class Stage: Sendable {
    let server: HTTPServer
    /// Holds the answers of `/held` back.
    let gate = Gate()
    private let arrivals = Arrivals()
    private let live = Mutex<HTTPServer.Instance?>(nil)

    init(logger: Logger = quiet, now: @escaping @Sendable () -> Date = { Date() }) {
        let (gate, arrivals, router) = (gate, arrivals, Router(context: PeerRequestContext.self))
        router.get("hello") { _, _ in "hello" }
        router.get("peer") { _, context in "\(context.peer)" }
        router.get("held") { _, _ in
            arrivals.count.add(1, ordering: .sequentiallyConsistent)
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
        server = HTTPServer(router.buildResponder(), logger: logger, now: now)
    }

    /// The size of `/large`, far beyond what any buffer on the way takes.
    static let large = 32 * 1_048_576

    private final class Arrivals: Sendable { let count = Atomic<Int>(0) }

    /// How many requests have reached `/held`.
    var arrived: Int { arrivals.count.load(ordering: .sequentiallyConsistent) }

    var port: Int { server.port ?? 0 }

    var instance: HTTPServer.Instance? { live.withLock { $0 } }

    func prepare(_ settings: HTTPServerSettings) async throws -> HTTPServer.Instance {
        try await server.prepare(settings, beside: instance)
    }

    /// What was live, not yet retired.
    @discardableResult
    func activate(_ next: HTTPServer.Instance) async -> HTTPServer.Instance? {
        live.withLock { $0 = next }
        return await server.activate(next)
    }

    /// A whole transaction; what was live is returned for the test to retire, or retired beside it.
    @discardableResult
    func change(to settings: HTTPServerSettings) async throws -> HTTPServer.Instance? {
        let next = try await prepare(settings)
        let old = await activate(next)
        try await server.verify(next)
        return old
    }

    /// Starts a server, and takes it down again however the body ends.
    static func run<Value>(
        _ settings: HTTPServerSettings = .loopback(), logger: Logger = quiet, now: @escaping @Sendable () -> Date = { Date() },
        _ body: (Stage) async throws -> Value
    ) async throws -> Value {
        let stage = Stage(logger: logger, now: now)
        let result: Result<Value, any Error>
        do {
            try await stage.change(to: settings)
            result = .success(try await body(stage))
        } catch {
            result = .failure(error)
        }
        stage.gate.open()
        if let live = stage.instance { await stage.retireAtOnce(live) }
        return try result.get()
    }

    /// As at the end of a process that was told twice: nobody is waited for.
    func retireAtOnce(_ instance: HTTPServer.Instance) async {
        let retirement = Task { await server.retire(instance) }
        retirement.cancel()
        await retirement.value
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

/// Holds whoever comes until it is opened.
final class Gate: Sendable {
    private let waiting = Mutex<[CheckedContinuation<Void, Never>]?>([])

    func open() {
        let waiting = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting ?? []
        }
        for continuation in waiting { continuation.resume() }
    }

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = waiting.withLock { waiting in
                waiting?.append(continuation)
                return waiting == nil
            }
            if isOpen { continuation.resume() }
        }
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
    throw Client.Failure("no free port")
}

private let taken = Mutex(Set<Int>())

/// Some other program that has a port.
final class Squatter: Sendable {
    private let descriptor: Int32
    let port: Int

    init(port: Int) throws {
        descriptor = socket(AF_INET, streamSocket, 0)
        self.port = port
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = in_addr_t(INADDR_ANY)
        var result: Int32 = -1
        // A program that another test is starting has every descriptor for a moment, that of a port just given up among them.
        for attempt in 0..<5 where result != 0 {
            if attempt > 0 { usleep(10_000) }
            result = withUnsafeBytes(of: address) { bytes in
                bind(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
            }
        }
        guard result == 0, listen(descriptor, 1) == 0 else { throw Client.Failure("bind") }
    }

    deinit { close(descriptor) }
}

/// The sockets of this process that belong to an address of its own, whatever other tests open meanwhile.
///
/// All of 127.0.0.0/8 is loopback, so a test can have an address for itself.
struct OwnAddress {
    let host: String
    private static let next = Atomic<Int>(Int.random(in: 0..<200) * 250)

    init() {
        let number = Self.next.add(1, ordering: .relaxed).newValue
        host = "127.\(64 + number / 62_500 % 100).\(number / 250 % 250).\(number % 250 + 2)"
    }

    /// How many descriptors of this process are sockets of the address.
    var descriptors: Int {
        get throws {
            let quads = host.split(separator: ".").compactMap { UInt8($0) }
            let address = quads.reversed().map { String(format: "%02X", $0) }.joined() + ":"
            let table = try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)
            let nodes = Set(
                table.split(separator: "\n").dropFirst().map { $0.split(separator: " ") }.filter {
                    $0.count > 9 && $0[1].hasPrefix(address)
                }
                .map { "socket:[\($0[9])]" })
            return openDescriptors().count { nodes.contains($0) }
        }
    }
}

/// What each descriptor of this process is.
func openDescriptors() -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
}

/// The status that curl, a client nobody here wrote, gets; empty when it gets none.
func curl(_ arguments: String...) async throws -> String { try await curl(arguments) }

func curl(_ arguments: [String]) async throws -> String {
    let arguments = ["--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"] + arguments
    let result = try await Subprocess.run(.name("curl"), arguments: Arguments(arguments), output: .string(limit: 1_000))
    return result.terminationStatus.isSuccess ? result.standardOutput : "curl failed: \(result.terminationStatus)"
}
