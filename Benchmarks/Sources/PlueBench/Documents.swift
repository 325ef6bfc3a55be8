import CInih
import Foundation
import PlueConfig
import PlueDocuments
import Subprocess

struct GroupSettings: Settings {
    var workers = 1
    var ratio = 1.0
    var name = "service"
    var enabled = false
    var timeout: Duration = .seconds(1)
    var size = ByteSize.bytes(0)
    var hosts: [String] = []
    var path = ""
    var mode = "a"
    var limit = 1

    static let schema = Schema<Self> {
        Setting("workers", \.workers, .range(1...1_000_000), "Most at once.")
        Setting("ratio", \.ratio)
        Setting("name", \.name, .notEmpty)
        Setting("enabled", \.enabled)
        Setting("timeout", \.timeout, .range(.zero ... .seconds(86_400)))
        Setting("size", \.size)
        Setting("hosts", \.hosts)
        Setting("path", \.path)
        Setting("mode", \.mode, .oneOf("a", "b", "c"))
        Setting("limit", \.limit, .range(0...))
    }
}

struct ManyGroups: Settings {
    var groups: [String: GroupSettings] = [:]

    static let schema = Schema<Self> { Section("group", \.groups) }
}

/// A document of ten keys in each section, of every common type.
func document(keys: Int) -> String {
    var text = "# generated\n"
    for number in 0..<(keys / 10) {
        text += """

            [group.g\(number)]
            # What this group is for.
            workers = \(number % 64 + 1)
            ratio = 0.\(number % 9 + 1)
            name = service number \(number)
            enabled = \(number % 2 == 0 ? "yes" : "no")
            timeout = \(number % 60 + 1)s
            size = \(number % 512 + 1)KiB
            hosts = a\(number).example.org, b\(number).example.org
            path = "/srv/group/\(number)"
            mode = b
            limit = \(number)

            """
    }
    return text
}

private let sizes = [1000, 10_000, 100_000]

/// Parsing beside inih and Python's configparser.
func benchmarkParsing() async throws {
    var table = Table("parse, keys", "Plue ms", "inih ms", "of inih", "configparser ms", "of it", "target of inih")
    for keys in sizes {
        let text = document(keys: keys)
        let bytes = Array(text.utf8)
        _ = try Document(parsing: bytes, name: "bench.ini")
        let parse = nanoseconds(runs: 15) { calls in
            for _ in 0..<calls { use(try? Document(parsing: bytes, name: "bench.ini")) }
        }
        let inih = nanoseconds(runs: 15) { calls in
            for _ in 0..<calls { use(inihCount(text)) }
        }
        let python = try await configparser(text)
        table.add(
            String(keys), (parse / 1e6).short, (inih / 1e6).short, (parse / inih).ratio, (python / 1e6).short, (parse / python).ratio, "1x")
    }
    table.print()
}

/// The whole way from the bytes to a typed, validated snapshot, beside configparser, which makes a dictionary of strings.
func benchmarkChecks() async throws {
    var table = Table("full check, keys", "Plue ms", "configparser ms", "of it", "target ms")
    for keys in sizes {
        let text = document(keys: keys)
        let check = try await fullCheck(text, runs: keys > 10_000 ? 9 : 31)
        let python = try await configparser(text)
        table.add(String(keys), (check / 1e6).short, (python / 1e6).short, (check / python).ratio, keys == 100_000 ? "100" : "")
    }
    table.print()
}

/// Keys that inih finds; it keeps nothing, so this is its parsing alone.
private func inihCount(_ text: String) -> Int {
    var count = 0
    withUnsafeMutablePointer(to: &count) { count in
        _ = text.withCString { text in
            ini_parse_string(
                text,
                { user, _, _, _ in
                    user?.assumingMemoryBound(to: Int.self).pointee += 1
                    return 1
                }, count)
        }
    }
    return count
}

/// The median time in nanoseconds, taken inside the other process so that its start does not count.
private func configparser(_ text: String) async throws -> Double {
    let path = FileManager.default.temporaryDirectory.appending(path: "plue-bench-\(UUID().uuidString).ini").path
    try Data(text.utf8).write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let script = """
        import configparser, statistics, sys, time
        text = open(sys.argv[1]).read()
        times = []
        for _ in range(5):
            parser = configparser.ConfigParser(interpolation=None)
            start = time.perf_counter_ns()
            parser.read_string(text)
            times.append(time.perf_counter_ns() - start)
        print(statistics.median(times))
        """
    let result = try await run(
        .name("python3"), arguments: ["-c", script, path], output: .string(limit: 4096), error: .string(limit: 65_536))
    return Double((result.standardOutput ?? "").trimmingCharacters(in: .whitespacesAndNewlines)) ?? .nan
}

/// From the bytes to a manager that could run: read, layer, resolve, validate, plan.
private func fullCheck(_ text: String, runs: Int) async throws -> Double {
    var times: [Double] = []
    for _ in 0..<runs {
        let source = MemorySource(["development.ini": text])
        let start = now()
        let manager = try await ConfigManager(ManyGroups.self, source: source, environment: .development)
        times.append(Double(now() - start))
        use(manager)
    }
    return median(times)
}
