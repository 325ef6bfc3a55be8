import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// Reads through the API beside Caddy's admin API, and what a thousand streams of events hear when: both servers of one run, on this
/// machine, asked by the same client.
///
/// Plue answers with TLS off, a token looked up on every request, and its access rules; Caddy's admin API knows neither. Caddy has no
/// answer 304: what it does for a client that knows the configuration already is to send it again.
func benchmarkAPI(plue: String) async throws {
    raiseDescriptorLimit()
    guard let daemon = try await BenchDaemon(plue: plue) else { return }
    defer { daemon.stop() }
    try await measureReads(of: daemon)
    try await measureEvents(of: daemon)
}

// MARK: - Reads

private func measureReads(of daemon: BenchDaemon) async throws {
    guard let wrk = tool("wrk"), let caddy = tool("caddy") else {
        print("api: wrk and caddy are needed; scripts/set-up --tests installs them")
        return
    }
    let peer = try await BenchCaddy(caddy, values: daemon.values)
    defer { peer.stop() }
    let cases: [(name: String, path: String, headers: [String], peer: String)] = [
        ("whole configuration, 200", "/v1/config", [], "/config/"),
        ("whole configuration, 304", "/v1/config", ["If-None-Match: \(daemon.tag)"], "/config/"),
        ("one key, 200", "/v1/config/server/port", [], "/config/apps/http/servers/bench/listen"),
        ("one key, 304", "/v1/config/server/port", ["If-None-Match: \(daemon.tag)"], "/config/apps/http/servers/bench/listen"),
    ]
    var table = Table("requests/s, 16 connections", "Plue", "Caddy admin", "ratio", "target")
    for item in cases {
        var (own, others): ([Double], [Double]) = ([], [])
        // In turns, so that whatever else the machine does is shared.
        for _ in 0..<3 {
            own.append(
                try load(wrk, "http://127.0.0.1:\(daemon.port)\(item.path)", item.headers + ["Authorization: Bearer \(daemon.token)"]))
            others.append(try load(wrk, "http://127.0.0.1:\(peer.port)\(item.peer)", []))
        }
        table.add(item.name, median(own).short, median(others).short, (median(own) / median(others)).ratio, "1.5x")
    }
    table.print()
}

/// Requests a second over some seconds; one that is not answered as it should be ends the run.
private func load(_ wrk: String, _ url: String, _ headers: [String]) throws -> Double {
    let output = try run(wrk, ["-t1", "-c16", "-d4s"] + headers.flatMap { ["-H", $0] } + [url])
    guard !output.contains("Non-2xx or 3xx"), !output.contains("Socket errors") else { throw BenchFailure("\(url): \(output)") }
    let line = output.split(separator: "\n").first { $0.hasPrefix("Requests/sec:") }
    guard let line, let figure = Double(line.dropFirst("Requests/sec:".count).trimmingCharacters(in: .whitespaces)) else {
        throw BenchFailure("wrk printed no figure: \(output)")
    }
    return figure
}

// MARK: - Events

/// From the moment a change is asked for until each stream has its version.
private func measureEvents(of daemon: BenchDaemon, streams count: Int = 1000, changes: Int = 20) async throws {
    let streams = try EventStreams(count, port: daemon.port, token: daemon.token)
    defer { streams.close() }
    guard streams.wait(for: "event: state\n", until: now() + 30_000_000_000).count == count else {
        throw BenchFailure("not every stream has begun")
    }
    var heard: [Double] = []
    var answered: [Double] = []
    for change in 1...changes {
        let start = now()
        async let patched: Void = daemon.patch(#"{"server":{"max_connections":\#(5000 + change)}}"#)
        let times = streams.wait(for: "event: version\n", until: start + 10_000_000_000)
        try await patched
        answered.append(Double(now() - start) / 1e6)
        guard times.count == count else { throw BenchFailure("only \(times.count) of \(count) streams heard of change \(change)") }
        heard += times.map { Double($0 - start) / 1e6 }
    }
    var table = Table("a change until \(count) streams have it", "p50 ms", "p99 ms", "max ms", "target p99")
    table.add("Plue, the change itself included", median(heard).short, percentile(99, of: heard).short, (heard.max() ?? .nan).short, "250")
    table.add("the change's own answer", median(answered).short, percentile(99, of: answered).short, (answered.max() ?? .nan).short, "")
    table.print()
}

/// Many open streams, read by one thread.
private final class EventStreams {
    private var polls: [pollfd] = []
    private var texts: [Data] = []

    init(_ count: Int, port: Int, token: String) throws {
        let request = Array(
            "GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nAuthorization: Bearer \(token)\r\n\r\n".utf8)
        for _ in 0..<count {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(UInt16(port)).bigEndian
            inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
            let isConnected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            guard descriptor >= 0, isConnected, write(descriptor, request, request.count) == request.count else {
                throw BenchFailure("stream \(polls.count + 1) could not be opened")
            }
            polls.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
            texts.append(Data())
        }
    }

    func close() { for poll in polls { Glibc.close(poll.fd) } }

    /// When each stream has brought a text, for those that do in time; what it brought so far is forgotten.
    func wait(for text: String, until deadline: UInt64) -> [UInt64] {
        let wanted = Data(text.utf8)
        for index in texts.indices { texts[index] = Data() }
        var found = [UInt64?](repeating: nil, count: polls.count)
        var missing = polls.count
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while missing > 0, now() < deadline {
            guard poll(&polls, nfds_t(polls.count), 100) > 0 else { continue }
            for index in polls.indices where polls[index].revents != 0 {
                let count = read(polls[index].fd, &buffer, buffer.count)
                guard count > 0 else { continue }
                texts[index].append(contentsOf: buffer[..<count])
                guard found[index] == nil, texts[index].range(of: wanted) != nil else { continue }
                found[index] = now()
                missing -= 1
            }
        }
        return found.compactMap(\.self)
    }
}

// MARK: - Servers

/// A daemon with a token, on a configuration of some size.
private final class BenchDaemon: Sendable {
    let root: String
    let port: Int
    let token: String
    /// What it answers for the whole configuration, and that answer's tag.
    let values: Data
    let tag: String
    private let process: Process

    init?(plue: String) async throws {
        guard FileManager.default.isExecutableFile(atPath: plue) else {
            print("api: no plue at \(plue); build it with: swift build -c release --product plue --scratch-path .build-release")
            return nil
        }
        root = FileManager.default.temporaryDirectory.appending(path: "plue-bench-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: root + "/config", withIntermediateDirectories: true)
        port = freePort()
        let own = (1...200).map { "key_\($0) = value \($0) of an application's own settings\n" }.joined()
        try Data("[server]\nport = \(port)\n[logging]\nlevel = error\n[application]\n\(own)".utf8)
            .write(to: URL(filePath: root + "/config/development.ini"))
        try Data(#"{"properties":{"application":{"additionalProperties":{"type":"string"}}}}"#.utf8)
            .write(to: URL(filePath: root + "/config/schema.json"))
        let options = ["--config-dir", root + "/config", "--state-dir", root + "/state", "--environment", "development"]
        process = try start(plue, ["serve"] + options)
        let socket = root + "/state/plue.sock"
        try await until { FileManager.default.fileExists(atPath: socket) }
        let created = try run(plue, ["token", "create", "bench", "--role", "admin", "--format", "json"] + options)
        guard let json = try JSONSerialization.jsonObject(with: Data(created.utf8)) as? [String: Any], let token = json["token"] as? String
        else { throw BenchFailure("no token: \(created)") }
        self.token = token
        let answer = try run(
            "/usr/bin/curl", ["-sS", "-i", "-H", "Authorization: Bearer \(token)", "http://127.0.0.1:\(port)/v1/config"])
        let parts = answer.components(separatedBy: "\r\n\r\n")
        values = Data((parts.last ?? "{}").utf8)
        tag =
            parts.first?.split(separator: "\r\n").first { $0.lowercased().hasPrefix("etag: ") }
            .map { String($0.dropFirst("etag: ".count)) } ?? ""
        guard answer.hasPrefix("HTTP/1.1 200"), !tag.isEmpty else { throw BenchFailure("no configuration: \(answer.prefix(300))") }
    }

    func patch(_ body: String) async throws {
        let (socket, body) = (root + "/state/plue.sock", body)
        let status = try await offPool {
            try run(
                "/usr/bin/curl",
                [
                    "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", socket, "-X", "PATCH", "-H", "If-Match: *", "-H",
                    "Content-Type: application/merge-patch+json", "-d", body, "http://plue/v1/config",
                ])
        }
        guard status == "200" else { throw BenchFailure("the change was answered with \(status)") }
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: root)
    }
}

/// Caddy with a configuration of the same values, for its admin API alone.
private final class BenchCaddy {
    let port: Int
    private let root: String
    private let process: Process

    init(_ caddy: String, values: Data) async throws {
        root = FileManager.default.temporaryDirectory.appending(path: "plue-bench-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        port = freePort()
        // Caddy takes no settings that it does not know, but labels of servers and routes may hold any text.
        let all = (try JSONSerialization.jsonObject(with: values) as? [String: Any])?["values"] as? [String: Any] ?? [:]
        let labels = (all["application"] as? [String: Any] ?? [:]).mapValues { "\($0)" }
        let configuration: [String: Any] = [
            "admin": ["listen": "127.0.0.1:\(port)"], "logging": ["logs": ["default": ["level": "ERROR"]]],
            "apps": [
                "http": [
                    "servers": ["bench": ["listen": ["127.0.0.1:0"], "routes": [["handle": [["handler": "vars"].merging(labels) { $1 }]]]]]
                ]
            ],
        ]
        let file = root + "/caddy.json"
        try JSONSerialization.data(withJSONObject: configuration).write(to: URL(filePath: file))
        process = try start(caddy, ["run", "--config", file], ["HOME": root, "XDG_DATA_HOME": root, "XDG_CONFIG_HOME": root])
        let port = port
        try await until {
            (try? run("/usr/bin/curl", ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:\(port)/config/"])) == "200"
        }
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: root)
    }
}

// MARK: - Processes

private struct BenchFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

private func tool(_ name: String) -> String? {
    ["/usr/bin/", "/usr/local/bin/"].map { $0 + name }.first { FileManager.default.isExecutableFile(atPath: $0) }
}

private func start(_ program: String, _ arguments: [String], _ variables: [String: String] = [:]) throws -> Process {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    return process
}

/// Runs a program to its end. Blocks.
private func run(_ program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return text
}

private func offPool<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { done in Thread { done.resume(with: Swift.Result { try work() }) }.start() }
}

private func until(_ condition: () -> Bool) async throws {
    let deadline = now() + 20_000_000_000
    while !condition() {
        guard now() < deadline else { throw BenchFailure("a server did not come up") }
        try await Task.sleep(for: .milliseconds(50))
    }
}

/// Room for a thousand streams, here and in the daemon, which inherits it.
private func raiseDescriptorLimit() {
    var limit = rlimit()
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(kind, &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, 65_536)
    _ = setrlimit(kind, &limit)
}
