import Foundation
import Logging
import PlueConfig
import PlueLedger
import Synchronization
import SystemPackage

#if canImport(Glibc)
import Glibc
#endif

/// From the rename that saves a file to the version that is live, beside the moment at which a blocked inotify read wakes.
func benchmarkSaves() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "plue-bench-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let file = directory + "/development.ini"
    func save(_ port: Int) throws -> UInt64 {
        try Data("[server]\nport = \(port)\n".utf8).write(to: URL(filePath: file + ".new"))
        let start = now()
        rename(file + ".new", file)
        return start
    }
    _ = try save(1)

    var options = ConfigManager<ReadSettings>.Options()
    // What makes a version last: a durable row in SQLite before it is live.
    options.recorder = try Ledger(directory: FilePath(directory + "/state"), logger: options.logger)
    options.logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
    let manager = try await ConfigManager(ReadSettings.self, directory: FilePath(directory), environment: .development, options: options)
    let live = Mutex<(port: Int, time: UInt64)>((0, 0))
    manager.onChange { _, new in live.withLock { $0 = (new.server.port, now()) } }
    let wake = try RawWake(directory)
    let running = Task { try await manager.run() }
    defer { running.cancel() }
    try await Task.sleep(for: .milliseconds(300))

    var saves: [Double] = []
    var wakes: [Double] = []
    for port in 2...201 {
        wake.arm()
        let start = try save(port)
        let deadline = start + 5_000_000_000
        while live.withLock({ $0.port }) != port, now() < deadline { try await Task.sleep(for: .milliseconds(1)) }
        let (seen, time) = live.withLock { $0 }
        guard seen == port, let woken = wake.time else {
            print("save \(port) was not seen")
            continue
        }
        saves.append(Double(time - start) / 1e6)
        wakes.append(Double(woken - start) / 1e6)
    }
    var table = Table("rename → live", "p50 ms", "p99 ms", "target ms")
    table.add("Plue, 20 ms settle and durable record included", median(saves).short, percentile(99, of: saves).short, "25")
    table.add("raw inotify wake of a blocked thread", median(wakes).short, percentile(99, of: wakes).short, "")
    table.add("Plue without the settle and the wake", (median(saves) - median(wakes) - 20).short, "", "")
    table.print()
}

/// A thread that sits in an inotify read and notes when it comes back.
private final class RawWake: Sendable {
    private let woken = Mutex<UInt64?>(nil)

    init(_ directory: String) throws {
        let descriptor = inotify_init1(Int32(IN_CLOEXEC))
        guard descriptor >= 0, inotify_add_watch(descriptor, directory, UInt32(IN_MOVED_TO)) >= 0 else { throw Errno(rawValue: errno) }
        Thread { [self] in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while read(descriptor, &buffer, buffer.count) > 0 {
                let time = now()
                woken.withLock { if $0 == nil { $0 = time } }
            }
        }.start()
    }

    func arm() { woken.withLock { $0 = nil } }
    var time: UInt64? { woken.withLock { $0 } }
}

/// What the daemon costs while nothing happens: threads that wake, time used, memory held.
func benchmarkIdle(plue: String) async throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "plue-bench-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: root + "/config", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    try Data("[server]\nport = 0\n".utf8).write(to: URL(filePath: root + "/config/development.ini"))
    guard FileManager.default.isExecutableFile(atPath: plue) else {
        print("idle: no plue at \(plue); build it with: swift build -c release --product plue --scratch-path .build-release")
        return
    }
    let daemon = Process()
    daemon.executableURL = URL(filePath: plue)
    daemon.arguments = ["serve", "--config-dir", root + "/config", "--state-dir", root + "/state", "--environment", "development"]
    daemon.standardOutput = FileHandle.nullDevice
    daemon.standardError = FileHandle.nullDevice
    try daemon.run()
    defer {
        daemon.terminate()
        daemon.waitUntilExit()
    }
    let process = "/proc/\(daemon.processIdentifier)"
    // Until what happens at the start, such as the first poll, is over.
    try await Task.sleep(for: .seconds(6))
    let before = Usage(process)
    try await Task.sleep(for: .seconds(20))
    let after = Usage(process)
    var table = Table("idle daemon", "figure", "target")
    table.add("wake-ups in 5 s, all threads", (Double(after.switches(since: before)) / 4).short, "1")
    table.add("CPU ms in 20 s", Double((after.ticks - before.ticks) * 10).short, "0")
    table.add("resident MB", (Double(after.residentKB) / 1024).short, "40")
    table.print()
}

/// What `/proc` says of a process.
private struct Usage {
    /// How often each thread has woken.
    var switches: [String: Int] = [:]
    var ticks = 0
    var residentKB = 0

    init(_ process: String) {
        for thread in (try? FileManager.default.contentsOfDirectory(atPath: process + "/task")) ?? [] {
            switches[thread] = Self.number("voluntary_ctxt_switches:", in: process + "/task/\(thread)/status")
        }
        residentKB = Self.number("VmRSS:", in: process + "/status")
        let fields = ((try? String(contentsOfFile: process + "/stat", encoding: .utf8)) ?? "").split(separator: " ")
        if fields.count > 14 { ticks = (Int(fields[13]) ?? 0) + (Int(fields[14]) ?? 0) }
    }

    /// Of all threads; one that has ended since took its count with it.
    func switches(since before: Usage) -> Int {
        switches.reduce(0) { $0 + $1.value - (before.switches[$1.key] ?? 0) }
    }

    private static func number(_ name: String, in path: String) -> Int {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
        return Int(line.dropFirst(name.count).filter(\.isNumber)) ?? 0
    }
}
