import Foundation
import Hummingbird
import PlueConfig
import PlueHTTP
import Subprocess
import Synchronization
import SystemPackage
import Testing

@Suite("A server that is reconfigured under load", .timeLimit(.minutes(3)))
struct LoadTests {
    @Test("of 200 changes, half of them invalid, no client notices any")
    func underLoad() async throws {
        try await withScratch { root in
            let address = OwnAddress()
            let squatter = try Squatter(port: try freePort())
            try await Program.run(document(address, port: try freePort())) { program in
                let file = root.appending("address")
                let publish = {
                    // Renamed into place: a client that reads meanwhile reads the one or the other.
                    try "\(address.host) \(program.server.port ?? 0)".write(toFile: file.string, atomically: true, encoding: .utf8)
                }
                try publish()
                let report = try await Subprocess.run(
                    .name("python3"), arguments: [script, file.string], input: .inputWriter,
                    output: .string(limit: 10_000), error: .currentStandardError
                ) { clients in
                    try await eventually("the clients have come") { program.answered > 100 }
                    var port = program.server.port ?? 0
                    for number in 0..<200 {
                        let seen = program.answered
                        let outcome: ReloadOutcome
                        switch number % 8 {
                        case 0, 4:
                            port = try freePort()
                            outcome = try await program.change(to: document(address, port: port))
                        case 2, 6:
                            outcome = try await program.change(to: document(address, port: port, connections: 200 + number))
                        case 1: outcome = try await program.change(to: document(address, port: 70_000))
                        case 3: outcome = try await program.change(to: document(address, port: squatter.port))
                        case 5: outcome = try await program.change(to: document(address, port: port) + "prot = 1\n")
                        default: outcome = try await program.change(to: "[server\nport = \(port)\n")
                        }
                        #expect(outcome.isCommitted == number.isMultiple(of: 2), "candidate \(number): \(outcome)")
                        try publish()
                        try await eventually("clients are served after candidate \(number)") { program.answered > seen + 8 }
                    }
                    try await clients.standardInputWriter.finish()
                }
                let words = report.standardOutput.split(separator: " ", maxSplits: 2).map(String.init)
                #expect(report.terminationStatus.isSuccess)
                #expect(words.count > 1 && (Int(words[0]) ?? 0) > 2_000, "\(report.standardOutput)")
                #expect(words.count > 1 && words[1] == "0", "\(report.standardOutput)")
                // One listener, and nothing of the hundred before it.
                try await eventually("the former listeners are gone") { try address.descriptors == 1 }
            }
            #expect(try address.descriptors == 0)
        }
    }

    private let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "load.py").path

    private func document(_ address: OwnAddress, port: Int, connections: Int = 100) -> String {
        "[server]\nhost = \(address.host)\nport = \(port)\nmax_connections = \(connections)\n"
    }
}

/// A program with one HTTP server, in this process, whose one document a test changes.
private final class Program: Sendable {
    struct Shape: Settings {
        struct Server: Settings {
            var host = "127.0.0.1"
            var port = 0
            var maxConnections = 100

            static let schema = Schema<Self> {
                Setting("host", \.host, .notEmpty)
                Setting("port", \.port, .range(0...65535))
                Setting("max_connections", \.maxConnections, .range(1...100_000))
            }
        }

        var server = Server()

        static let schema = Schema<Self> { Section("server", \.server) }
    }

    let manager: ConfigManager<Shape>
    let server: HTTPServer
    private let text: Text
    private let counter = Counter()

    private init(_ document: String) async throws {
        let text = Text(document)
        self.text = text
        var options = ConfigManager<Shape>.Options()
        options.logger = quiet
        options.followsHangup = false
        manager = try await ConfigManager(
            Shape.self, source: MemorySource { Candidate(environment: $0, texts: ["development.ini": text.value]) },
            environment: .development, options: options)
        let router = Router(context: PeerRequestContext.self)
        let counter = counter
        router.post("size") { request, context in
            let body = try await request.body.collect(upTo: context.maxUploadSize)
            counter.value.add(1, ordering: .relaxed)
            return "\(body.readableBytes)"
        }
        server = HTTPServer(router.buildResponder(), logger: quiet)
        try manager.register(server, following: ["server"], named: "http") { shape in
            .loopback(shape.server.port, host: shape.server.host) { $0.maxConnections = shape.server.maxConnections }
        }
        try await manager.start()
    }

    private final class Text: Sendable {
        private let text: Mutex<String>
        init(_ text: String) { self.text = Mutex(text) }
        var value: String {
            get { text.withLock { $0 } }
            set { text.withLock { $0 = newValue } }
        }
    }

    private final class Counter: Sendable { let value = Atomic<Int>(0) }

    /// How many requests were answered.
    var answered: Int { counter.value.load(ordering: .relaxed) }

    /// Saves another document and takes it down the road.
    func change(to document: String) async throws -> ReloadOutcome {
        text.value = document
        return try await manager.reload()
    }

    static func run(_ document: String, _ test: (Program) async throws -> Void) async throws {
        let program = try await Program(document)
        let manager = program.manager
        let running = Task { try await manager.run() }
        let result: Result<Void, any Error>
        do { result = .success(try await test(program)) } catch { result = .failure(error) }
        running.cancel()
        _ = try? await running.value
        try result.get()
    }
}

extension ReloadOutcome {
    fileprivate var isCommitted: Bool { if case .committed = self { true } else { false } }
}
