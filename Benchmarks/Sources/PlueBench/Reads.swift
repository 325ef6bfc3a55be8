import CAllocationCount
import Configuration
import Foundation
import PlueConfig
import Synchronization

struct ServerSettings: Settings {
    var host = "127.0.0.1"
    var port = 8080
    var debug = false

    static let schema = Schema<Self> {
        Setting("host", \.host)
        Setting("port", \.port)
        Setting("debug", \.debug)
    }
}

struct ReadSettings: Settings {
    var server = ServerSettings()

    static let schema = Schema<Self> { Section("server", \.server) }
}

/// The same settings behind a lock: what most programs write.
final class LockedSettings: Sendable {
    let settings = Mutex(ReadSettings())
}

/// One integer out of the running settings, by every way there is, with one thread and with two.
func benchmarkReads() async throws {
    let manager = try await ConfigManager(
        ReadSettings.self, source: MemorySource(["development.ini": "[server]\nport = 8080\n"]), environment: .development)
    let locked = LockedSettings()
    let inMemory = ConfigReader(provider: InMemoryProvider(values: ["server.port": 8080]))
    let overPlue = ConfigReader(provider: manager.provider)
    let key = ConfigKey(["server", "port"])

    let ways: [(name: String, target: Double?, body: @Sendable (Int) -> Void)] = [
        (
            "Reader.read", 1,
            { calls in
                var reader = manager.reader()
                var sum = 0
                for _ in 0..<calls { sum &+= reader.read { $0.server.port } }
                use(sum)
            }
        ),
        (
            "manager.read", 2.5,
            { calls in
                var sum = 0
                for _ in 0..<calls { sum &+= manager.read { $0.server.port } }
                use(sum)
            }
        ),
        (
            "manager.current", 20,
            { calls in
                var sum = 0
                for _ in 0..<calls { sum &+= manager.current.server.port }
                use(sum)
            }
        ),
        (
            "Mutex", nil,
            { calls in
                var sum = 0
                for _ in 0..<calls { sum &+= locked.settings.withLock { $0.server.port } }
                use(sum)
            }
        ),
        (
            "ConfigReader, in memory", nil,
            { calls in
                var sum = 0
                for _ in 0..<calls { sum &+= inMemory.int(forKey: key, default: 0) }
                use(sum)
            }
        ),
        (
            "ConfigReader, Plue", nil,
            { calls in
                var sum = 0
                for _ in 0..<calls { sum &+= overPlue.int(forKey: key, default: 0) }
                use(sum)
            }
        ),
    ]

    let peer = nanoseconds(threads: 1, ways[3].body)
    let contendedPeer = nanoseconds(threads: 2, ways[3].body)
    var table = Table("one setting", "1 thread ns", "of Mutex", "2 threads ns", "of Mutex", "target ns", "allocations")
    for way in ways {
        let alone = nanoseconds(threads: 1, way.body)
        let both = nanoseconds(threads: 2, way.body)
        table.add(
            way.name, alone.short, (alone / peer).ratio, both.short, (both / contendedPeer).ratio, way.target?.short ?? "",
            allocations(of: way.body).short)
    }
    table.print()
}

/// Allocations for each call, once the first calls are over.
private func allocations(of body: (Int) -> Void) -> Double {
    body(1000)
    let before = allocation_count()
    body(100_000)
    return Double(allocation_count() - before) / 100_000
}
