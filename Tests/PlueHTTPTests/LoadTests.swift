import Foundation
import Hummingbird
import PlueConfig
import PlueHTTP
import Subprocess
import Synchronization
import SystemPackage
import TestGround
import Testing

@Suite("A server that is reconfigured under load", .timeLimit(.minutes(3)))
struct LoadTests {
    @Test("of 200 changes, half of them invalid, no client notices any", arguments: Wire.allCases)
    func underLoad(_ wire: Wire) async throws {
        try await withScratch { root in
            let address = OwnAddress()
            let squatter = try Squatter(port: try freePort())
            var certificates: Certificates?
            if wire == .tls { certificates = try await Certificates(in: root, for: address.host) }
            func document(port: Int, connections: Int = 100, key: FilePath? = nil) -> String {
                "[server]\nhost = \(address.host)\nport = \(port)\nmax_connections = \(connections)\n"
                    + (certificates.map { "certificate = \($0.live.certificate)\nprivate_key = \(key ?? $0.live.key)\n" } ?? "")
            }
            try await Program.run(document(port: try freePort())) { program in
                let file = root.appending("address")
                var places = ""
                func publish(since time: Date) throws {
                    let place = "\(address.host) \(program.server.port ?? 0) "
                    guard !(places.split(separator: "\n").last?.hasPrefix(place) ?? false) else { return }
                    places += place + "\(time.timeIntervalSince1970)\n"
                    // Renamed into place: a client that reads meanwhile reads the one or the other.
                    try places.write(toFile: file.string, atomically: true, encoding: .utf8)
                }
                try publish(since: Date())
                let report = try await Subprocess.run(
                    .name("python3"), arguments: Arguments([script, file.string] + (certificates.map { [$0.authority.string] } ?? [])),
                    input: .inputWriter,
                    output: .string(limit: 10_000), error: .currentStandardError
                ) { clients in
                    try await eventually("the clients have come") { program.answered > 100 }
                    var port = program.server.port ?? 0
                    for number in 0..<200 {
                        let (seen, start) = (program.answered, Date())
                        let outcome: ReloadOutcome
                        switch number % 8 {
                        case 0, 4:
                            port = try freePort()
                            outcome = try await program.change(to: document(port: port))
                        case 2: outcome = try await program.change(to: document(port: port, connections: 200 + number))
                        case 6:
                            // Other files under the same paths, or other limits.
                            try certificates?.renew(number / 8 + 1)
                            outcome = try await program.change(to: document(port: port, connections: wire == .tls ? 100 : 200 + number))
                        case 1: outcome = try await program.change(to: document(port: 70_000))
                        case 3: outcome = try await program.change(to: document(port: squatter.port))
                        case 5:
                            let key = certificates?.stranger
                            outcome = try await program.change(to: document(port: port, key: key) + (key == nil ? "prot = 1\n" : ""))
                        default: outcome = try await program.change(to: "[server\nport = \(port)\n")
                        }
                        // Renewed files may have been found by the watch before.
                        #expect(outcome.isRejected != number.isMultiple(of: 2), "candidate \(number): \(outcome)")
                        if number.isMultiple(of: 2) { #expect(program.server.port == port) }
                        try publish(since: start)
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

    /// A few pairs of one authority, and the files through which each in turn is served.
    private struct Certificates {
        let authority: FilePath
        let live: Authority.Pair
        /// A key that belongs to none of them.
        let stranger: FilePath
        private var pairs: [Authority.Pair] = []

        init(in directory: FilePath, for host: String) async throws {
            let authority = try await Authority(in: directory)
            self.authority = authority.certificate
            for number in 0..<4 { pairs.append(try await authority.issue("\(number)", for: "IP:\(host)")) }
            stranger = pairs[3].key
            live = Authority.Pair(certificate: directory.appending("live.pem"), key: directory.appending("live.key"))
            try renew(0)
        }

        func renew(_ number: Int) throws {
            let pair = pairs[number % 3]
            for (new, old) in [(pair.certificate, live.certificate), (pair.key, live.key)] {
                try Data(contentsOf: URL(filePath: new.string)).write(to: URL(filePath: old.string), options: .atomic)
            }
        }
    }
}

/// A program with one HTTP server, in this process, whose one document a test changes.
private final class Program: Sendable {
    struct Shape: Settings {
        struct Server: Settings {
            var host = "127.0.0.1"
            var port = 0
            var maxConnections = 100
            var certificate: WatchedFile?
            var privateKey: WatchedFile?

            static let schema = Schema<Self> {
                Setting("certificate", \.certificate)
                Setting("private_key", \.privateKey)
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
            counter.increase()
            return "\(body.readableBytes)"
        }
        server = HTTPServer(router.buildResponder(), logger: quiet)
        try manager.register(server, following: ["server"], named: "http") { shape in
            var tls: HTTPServerSettings.TLS?
            if let certificate = shape.server.certificate, let key = shape.server.privateKey {
                tls = .init(certificate: certificate, privateKey: key)
            }
            return .loopback(shape.server.port, host: shape.server.host) { $0.maxConnections = shape.server.maxConnections }.with(tls)
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

    /// How many requests were answered.
    var answered: Int { counter.value }

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
    fileprivate var isRejected: Bool { if case .rejected = self { true } else { false } }
}
