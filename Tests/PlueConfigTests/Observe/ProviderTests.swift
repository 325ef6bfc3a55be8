import Configuration
import ConfigurationTesting
import Logging
import Synchronization
import TestGround
import Testing

@testable import PlueConfig

/// What a library sees that reads the running settings through swift-configuration.
@Suite struct ProviderTests {
    @Test func `The provider passes swift-configuration's own suite`() async throws {
        let manager = try await manager(of: NoSettings.self, .init(Compat.text), and: Compat.sections())
        // A key outside any section does not exist in a document, so the suite's keys stand in one.
        try await ProviderCompatTest(provider: manager.provider.prefixKeys(with: "compat")).runTest()
    }

    @Test func `A library reads a declared setting as its own type, a default as a value, a secret as one`() async throws {
        let manager = try await manager(of: LibraryRoot.self, .init("[http]\nmax_body_size = 1MiB\ntoken = hush-hush\n"))
        let config = ConfigReader(provider: manager.provider)
        #expect(config.int(forKey: "http.port", default: 1) == 8080)
        #expect(config.int(forKey: "http.maxBodySize") == 1_048_576)
        #expect(config.double(forKey: "http.idleTimeout") == 90)
        #expect(config.string(forKey: "http.idle_timeout") == "1m30s")
        #expect(config.string(forKey: "http.port") == "8080")
        #expect(config.bool(forKey: "http.tls.enabled") == false)
        #expect(config.string(forKey: "http.nothing") == nil)
        let token = try manager.provider.value(forKey: ["http", "token"], type: .string)
        #expect(token.value?.isSecret == true)
        #expect("\(token)".contains("hush") == false)
    }

    @Test func `A wrong type is an error that names the setting and never its value`() async throws {
        let manager = try await manager(of: LibraryRoot.self, .init("[http]\ntoken = hush-hush\n"))
        let error = #expect(throws: SettingTypeMismatch.self) {
            try manager.provider.value(forKey: ["http", "token"], type: .int)
        }
        #expect(error?.description == "http.token was read as int, but it is text")
        #expect(throws: SettingTypeMismatch.self) { try manager.provider.value(forKey: ["http", "port"], type: .stringArray) }
    }

    @Test(.timeLimit(.minutes(1))) func `A watched number, flag and fraction fire when their value changes, and only then`() async throws {
        let text = Texts("[http]\nport = 1\nratio = 0.5\n[http.tls]\nenabled = no\n")
        let manager = try await manager(of: LibraryRoot.self, text)
        try await manager.start()
        let config = ConfigReader(provider: manager.provider)
        let seen = Seen()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await config.watchInt(forKey: "http.port", default: 0) { for await value in $0 { await seen.add("port \(value)") } }
            }
            group.addTask {
                try await config.watchBool(forKey: "http.tls.enabled", default: false) {
                    for await value in $0 { await seen.add("tls \(value)") }
                }
            }
            group.addTask {
                try await config.watchDouble(forKey: "http.ratio", default: 0) {
                    for await value in $0 { await seen.add("ratio \(value)") }
                }
            }
            await seen.wait(for: ["port 1", "tls false", "ratio 0.5"])
            text.set("[http]\nport = 2\nratio = 0.5\n[http.tls]\nenabled = no\n")
            _ = try await manager.reload()
            await seen.wait(for: ["port 2"])
            text.set("[http]\nport = 2\nratio = 0.25\n[http.tls]\nenabled = yes\n")
            _ = try await manager.reload()
            await seen.wait(for: ["tls true", "ratio 0.25"])
            group.cancelAll()
        }
        #expect(await seen.lines.sorted() == ["port 1", "port 2", "ratio 0.25", "ratio 0.5", "tls false", "tls true"])
        #expect(manager.observers.count == 0)
    }

    @Test(.timeLimit(.minutes(1))) func `A watched snapshot comes once for each version, and each is whole`() async throws {
        let text = Texts("[http]\nport = 1\nratio = 1\n")
        let manager = try await manager(of: LibraryRoot.self, text)
        try await manager.start()
        let config = ConfigReader(provider: manager.provider)
        let seen = Seen()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await config.watchSnapshot { snapshots in
                    for await snapshot in snapshots {
                        await seen.add(
                            "\(snapshot.int(forKey: "http.port", default: 0)) \(snapshot.double(forKey: "http.ratio", default: 0))")
                    }
                }
            }
            await seen.wait(for: ["1 1.0"])
            for number in 2...20 {
                text.set("[http]\nport = \(number)\nratio = \(number)\n")
                _ = try await manager.reload()
                await seen.wait(for: ["\(number) \(number).0"])
            }
            group.cancelAll()
        }
        #expect(await seen.lines == (1...20).map { "\($0) \($0).0" })
    }

    @Test func `Ten thousand watchers of one key all hear of a change`() async throws {
        let text = Texts("[http]\nport = 1\n")
        let manager = try await manager(of: LibraryRoot.self, text)
        try await manager.start()
        let seen = Seen()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<10_000 {
                group.addTask {
                    try await manager.provider.watchValue(forKey: ["http", "port"], type: .int) { updates in
                        for await update in updates {
                            if try update.get().value?.content == .int(2) { return await seen.add("\(number)") }
                        }
                    }
                }
            }
            while manager.observers.count < 10_000 { await Task.yield() }
            text.set("[http]\nport = 2\n")
            _ = try await manager.reload()
            try await group.waitForAll()
        }
        #expect(await Set(seen.lines).count == 10_000)
        #expect(manager.observers.count == 0)
    }

    @Test func `A callback may end itself and read while it is called`() async throws {
        let text = Texts("[http]\nport = 1\n")
        let manager = try await manager(of: LibraryRoot.self, text)
        try await manager.start()
        let calls = Mutex<[Int]>([])
        let own = Mutex<Observation?>(nil)
        let observation = manager.onChange { _, new in
            calls.withLock { $0.append(new.http.port) }
            #expect(manager.current.http.port == new.http.port)
            own.withLock { $0 }?.cancel()
        }
        own.withLock { $0 = observation }
        for port in 2...4 {
            text.set("[http]\nport = \(port)\n")
            _ = try await manager.reload()
        }
        #expect(calls.withLock { $0 } == [2])
    }

    private func manager<Root: Settings>(
        of _: Root.Type, _ texts: Texts, and sections: SectionModel? = nil
    ) async throws -> ConfigManager<Root> {
        var options = ConfigManager<Root>.Options()
        options.extraSections = sections
        options.logger = quiet
        let source = MemorySource { Candidate(environment: $0, texts: ["development.ini": texts.text]) }
        return try await ConfigManager(Root.self, source: source, environment: .development, options: options)
    }
}

/// A document's text that a test changes.
private final class Texts: Sendable {
    private let current: Mutex<String>

    init(_ text: String) { current = Mutex(text) }

    var text: String { current.withLock { $0 } }
    func set(_ text: String) { current.withLock { $0 = text } }
}

/// What was seen, in order.
private actor Seen {
    private(set) var lines: [String] = []

    func add(_ line: String) { lines.append(line) }

    func wait(for wanted: [String]) async {
        while !wanted.allSatisfy(lines.contains), !Task.isCancelled { await Task.yield() }
    }
}

private struct TLSSettings: Settings {
    var enabled = false

    static let schema = Schema<Self> { Setting("enabled", \.enabled) }
}

private struct HTTPSettings: Settings {
    var port = 8080
    var ratio = 0.5
    var idleTimeout: Duration = .seconds(90)
    var maxBodySize = ByteSize.mebibytes(2)
    var token = Secret("")
    var tls = TLSSettings()

    static let schema = Schema<Self> {
        Setting("port", \.port)
        Setting("ratio", \.ratio)
        Setting("idle_timeout", \.idleTimeout)
        Setting("max_body_size", \.maxBodySize)
        Setting("token", \.token)
        Section("tls", \.tls)
    }
}

private struct LibraryRoot: Settings {
    var http = HTTPSettings()

    static let schema = Schema<Self> { Section("http", \.http) }
}

/// The data that swift-configuration's suite wants to find, each value of its own type.
private enum Compat {
    static func sections() throws -> SectionModel {
        let values = """
            "string": {"type": "string"}, "int": {"type": "integer"}, "double": {"type": "number"}, "bool": {"type": "boolean"},
            "bytes": {"type": "string"}, "stringy": {"properties": {"array": {"items": {"type": "string"}}}},
            "inty": {"properties": {"array": {"items": {"type": "integer"}}}},
            "doubly": {"properties": {"array": {"items": {"type": "number"}}}},
            "booly": {"properties": {"array": {"items": {"type": "boolean"}}}},
            "byteChunky": {"properties": {"array": {"items": {"type": "string"}}}}
            """
        let schema = #"{"properties": {"compat": {"properties": {"other": {"properties": {\#(values)}}, \#(values)}}}}"#
        return try SectionModel(jsonSchema: Array(schema.utf8), name: "compat.json")
    }

    static let text = """
        [compat]
        string = Hello
        int = 42
        double = 3.14
        bool = true
        bytes = bWFnaWM=
        [compat.stringy]
        array = Hello, World
        [compat.inty]
        array = 42, 24
        [compat.doubly]
        array = 3.14, 2.72
        [compat.booly]
        array = true, false
        [compat.byteChunky]
        array = bWFnaWM=, bWFnaWMy
        [compat.other]
        string = Other Hello
        int = 24
        double = 2.72
        bool = false
        bytes = bWFnaWMy
        [compat.other.stringy]
        array = Hello, Swift
        [compat.other.inty]
        array = 16, 32
        [compat.other.doubly]
        array = 0.9, 1.8
        [compat.other.booly]
        array = false, true, true
        [compat.other.byteChunky]
        array = bWFnaWM=, bWFnaWMy, bWFnaWM=

        """
}
