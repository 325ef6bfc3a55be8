import Foundation
import Logging
import PlueConfig
import PlueHTTP
import PlueLedger
import Subprocess
import Synchronization
import SystemPackage

#if canImport(Glibc)
import Glibc
#endif

private struct HTTPSettings: Settings {
    var port = 0
    var maxConnections = 10_000

    static let schema = Schema<Self> {
        Setting("port", \.port)
        Setting("max_connections", \.maxConnections)
    }
}

private struct ServedSettings: Settings {
    var http = HTTPSettings()

    static let schema = Schema<Self> { Section("http", \.http) }
}

/// What a change of a live server takes, and what its clients feel of it, beside the reloads of Caddy and nginx where they are installed.
func benchmarkServices() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "plue-bench-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var table = Table("a change of what serves", "p50 ms", "p99 ms", "target ms")
    try await servePlue(directory, &table)
    try await serveCaddy(directory, &table)
    try await serveNginx(directory, &table)
    table.print()
}

// MARK: - Plue

private func servePlue(_ directory: String, _ table: inout Table) async throws {
    let quiet = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
    var port = freePort()
    try Data("[http]\nport = \(port)\n".utf8).write(to: URL(filePath: directory + "/development.ini"))
    var options = ConfigManager<ServedSettings>.Options()
    // Durable, as in the daemon: two rows in SQLite and a file for each change.
    options.recorder = try Ledger(directory: FilePath(directory + "/state"), logger: quiet)
    options.logger = quiet
    options.followsHangup = false
    var policy = ReloadPolicy()
    policy.watch = .off
    options.policy = { [policy] _ in policy }
    let manager = try await ConfigManager(
        ServedSettings.self, directory: FilePath(directory), environment: .development, options: options)
    let server = HTTPServer(PlainResponder(), logger: quiet)
    try manager.register(server, following: ["http"], named: "http") { settings in
        var limits = HTTPServerSettings.Limits()
        limits.maxConnections = settings.http.maxConnections
        limits.drainTimeout = .seconds(1)
        return HTTPServerSettings(endpoint: .tcp(host: "127.0.0.1", port: settings.http.port), limits: limits)
    }
    let running = Task { try await manager.run() }
    defer { running.cancel() }
    try await manager.start()

    let (limit, address) = (SettingKey(section: "http", name: "max_connections"), SettingKey(section: "http", name: "port"))
    func apply(_ key: SettingKey, _ value: Int) async throws -> Double {
        let start = now()
        let outcome = try await manager.apply(Edits([.set(key, to: "\(value)")]), reason: "bench")
        guard case .committed = outcome else { return .nan }
        return Double(now() - start) / 1e6
    }

    var limits: [Double] = []
    for number in 0..<200 { limits.append(try await apply(limit, 5_000 + number)) }
    table.add("Plue, a limit, durable", median(limits).short, percentile(99, of: limits).short, "2")
    var moves: [Double] = []
    for _ in 0..<100 {
        port = freePort()
        moves.append(try await apply(address, port))
    }
    table.add("Plue, the port, verified from outside, durable", median(moves).short, percentile(99, of: moves).short, "20")

    // What somebody feels who asks all the while, on one connection.
    guard let client = PlainClient(port) else { return print("plue does not answer") }
    let calm = await measured { client.latencies(for: 3) }
    let isOver = Atomic(false)
    let changes = Task {
        var number = 0
        while !isOver.load(ordering: .relaxed) {
            number += 1
            _ = try await manager.apply(Edits([.set(limit, to: "\(1_000 + number % 1_000)")]), reason: "bench")
            try await Task.sleep(for: .milliseconds(20))
        }
    }
    let disturbed = await measured { client.latencies(for: 5) }
    isOver.store(true, ordering: .relaxed)
    try await changes.value
    let (before, during) = (percentile(99, of: calm), percentile(99, of: disturbed))
    table.add("Plue, a request's p50 and p99 without changes", median(calm).short, before.short, "")
    table.add("Plue, the same during changes every 20 ms", median(disturbed).short, during.short, "")
    table.add("  p99 during over p99 without", (during / before).ratio, "", "2x")
}

/// On a thread of its own, which may block.
private func measured(_ work: @escaping @Sendable () -> [Double]) async -> [Double] {
    await withCheckedContinuation { done in Thread { done.resume(returning: work()) }.start() }
}

// MARK: - Peers

private func serveCaddy(_ directory: String, _ table: inout Table) async throws {
    guard let caddy = installed("caddy") else { return }
    let admin = freePort()
    func configuration(_ port: Int) -> String {
        """
        {"admin":{"listen":"127.0.0.1:\(admin)"},"apps":{"http":{"servers":{"s":{"listen":["127.0.0.1:\(port)"],
        "automatic_https":{"disable":true},"routes":[{"handle":[{"handler":"static_response","body":"hello"}]}]}}}}}
        """
    }
    var port = freePort()
    try Data(configuration(port).utf8).write(to: URL(filePath: directory + "/caddy.json"))
    let process = Process()
    process.executableURL = URL(filePath: caddy)
    process.arguments = ["run", "--config", directory + "/caddy.json"]
    process.environment = ["HOME": directory, "XDG_CONFIG_HOME": directory, "XDG_DATA_HOME": directory]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    defer { end(process) }
    guard await answers(port) else { return print("caddy did not start") }
    var loads: [Double] = []
    for _ in 0..<50 {
        port = freePort()
        let body = configuration(port)
        // It ends the connection with each load.
        guard let client = PlainClient(admin) else { continue }
        let start = now()
        let answer = client.exchange(
            "POST /load HTTP/1.1\r\nHost: 127.0.0.1:\(admin)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        )
        guard answer.hasPrefix("HTTP/1.1 200") else { continue }
        loads.append(Double(now() - start) / 1e6)
        try await Task.sleep(for: .milliseconds(50))
    }
    table.add("Caddy, POST /load with another port", median(loads).short, percentile(99, of: loads).short, "")
}

private func serveNginx(_ directory: String, _ table: inout Table) async throws {
    guard let nginx = installed("nginx") else { return }
    func write(_ port: Int) throws {
        let text = """
            worker_processes 1; pid \(directory)/nginx.pid; error_log \(directory)/error.log; events {}
            http { access_log off; client_body_temp_path \(directory)/t1; proxy_temp_path \(directory)/t2;
            fastcgi_temp_path \(directory)/t3; uwsgi_temp_path \(directory)/t4; scgi_temp_path \(directory)/t5;
            server { listen 127.0.0.1:\(port); location / { return 200 "hello"; } } }
            """
        try Data(text.utf8).write(to: URL(filePath: directory + "/nginx.conf"))
    }
    // Foundation's Process would wait for the daemon that the first of these leaves behind.
    func command(_ arguments: String...) async throws -> Bool {
        try await Subprocess.run(
            .path(FilePath(nginx)), arguments: Arguments(["-p", directory, "-c", directory + "/nginx.conf"] + arguments),
            output: .discarded,
            error: .discarded
        ).terminationStatus.isSuccess
    }
    var port = freePort()
    try write(port)
    guard try await command() else { return print("nginx did not start") }
    guard await answers(port) else { return print("nginx does not answer") }
    var reloads: [Double] = []
    for _ in 0..<30 {
        port = freePort()
        try write(port)
        let start = now()
        _ = try await command("-t", "-q")
        _ = try await command("-s", "reload")
        while !connects(port), now() - start < 5_000_000_000 { usleep(200) }
        reloads.append(Double(now() - start) / 1e6)
        // Its master takes no other signal for 100 ms.
        try await Task.sleep(for: .milliseconds(250))
    }
    _ = try await command("-s", "quit")
    table.add("nginx -t and -s reload, until another port answers", median(reloads).short, percentile(99, of: reloads).short, "")
}

private func installed(_ name: String) -> String? {
    ["/usr/sbin/", "/usr/bin/", "/usr/local/bin/"].map { $0 + name }.first { FileManager.default.isExecutableFile(atPath: $0) }
}

private func end(_ process: Process) {
    process.terminate()
    process.waitUntilExit()
}

private func answers(_ port: Int) async -> Bool {
    for _ in 0..<500 {
        if connects(port) { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return false
}
