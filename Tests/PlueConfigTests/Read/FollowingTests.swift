import Foundation
import Logging
import Synchronization
import SystemPackage
import TestGround
import Testing

@testable import PlueConfig

/// A manager over a real directory: what people and programs do to files, and what becomes of it.
@Suite struct FollowingTests {
    @Test func `A save in place, a rename over the file and an editor's dance each become one version`() async throws {
        try await Followed.run(["development.ini": "[server]\nport = 1\n"]) { followed in
            try followed.write("[server]\nport = 2\n", to: "development.ini")
            try await followed.until(port: 2)

            try followed.write("[server]\nport = 3\n", to: "development.ini.new")
            try followed.rename("development.ini.new", to: "development.ini")
            try await followed.until(port: 3)

            // As vim does: the old file moves away, a new one is written, the old one goes.
            try followed.rename("development.ini", to: "development.ini~")
            try followed.write("[server]\nport = 4\n", to: "development.ini")
            try followed.remove("development.ini~")
            try await followed.until(port: 4)
            #expect(followed.versions == 4)
        }
    }

    @Test func `A Kubernetes volume that swaps its data link becomes one version`() async throws {
        try await Followed.run(
            [:],
            prepare: { directory in
                try FileManager.default.createDirectory(atPath: "\(directory)/..one", withIntermediateDirectories: true)
                try Data("[server]\nport = 1\n".utf8).write(to: URL(filePath: "\(directory)/..one/development.ini"))
                try FileManager.default.createSymbolicLink(atPath: "\(directory)/..data", withDestinationPath: "..one")
                try FileManager.default.createSymbolicLink(
                    atPath: "\(directory)/development.ini", withDestinationPath: "..data/development.ini")
            }
        ) { followed in
            for port in 2...4 {
                try FileManager.default.createDirectory(atPath: "\(followed.directory)/..n\(port)", withIntermediateDirectories: true)
                try followed.write("[server]\nport = \(port)\n", to: "..n\(port)/development.ini")
                try FileManager.default.createSymbolicLink(atPath: "\(followed.directory)/..data_tmp", withDestinationPath: "..n\(port)")
                try followed.rename("..data_tmp", to: "..data")
                try await followed.until(port: port)
            }
            #expect(followed.versions == 4)
        }
    }

    @Test func `A hundred quick saves end with the last one, in fewer versions`() async throws {
        try await Followed.run(["development.ini": "[server]\nport = 1\n"]) { followed in
            for port in 2...101 { try followed.write("[server]\nport = \(port)\n", to: "development.ini") }
            try await followed.until(port: 101)
            #expect(followed.versions < 60)
        }
    }

    @Test func `A drop-in that appears counts, and one that goes does not any more`() async throws {
        try await Followed.run(["development.ini": "[server]\nport = 1\n"]) { followed in
            try FileManager.default.createDirectory(atPath: followed.directory + "/development.d", withIntermediateDirectories: true)
            try followed.write("[server]\nport = 2\n", to: "development.d/10-local.ini")
            try await followed.until(port: 2)
            try followed.remove("development.d/10-local.ini")
            try await followed.until(port: 1)
        }
    }

    @Test func `A secret file that rotates is a new version, and one that is not text is an error with its place`() async throws {
        let secret = FileManager.default.temporaryDirectory.appending(path: "plue-secret-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: secret) }
        try Data("first\n".utf8).write(to: URL(filePath: secret))
        try await Followed.run(["development.ini": "[server]\nport = 1\ntoken = ${file:\(secret)}\n"]) { followed in
            #expect(followed.manager.current.server.token == Secret("first"))
            try Data("second\n".utf8).write(to: URL(filePath: secret), options: .atomic)
            try await eventually { followed.manager.current.server.token == Secret("second") }

            try Data([0xFF, 0xFE, 0x00]).write(to: URL(filePath: secret), options: .atomic)
            try await eventually { await followed.manager.status.state == .rejected }
            let diagnostic = try #require(await followed.manager.status.lastAttempt?.diagnostics.first)
            #expect(diagnostic.message.contains("is not UTF-8 text"))
            #expect(diagnostic.location?.line == 3)
            #expect(followed.manager.current.server.token == Secret("second"))
        }
    }

    @Test func `A mistake keeps what runs, says so, and is forgotten once the file says again what runs`() async throws {
        try await Followed.run(["development.ini": "[server]\nport = 1\n"]) { followed in
            try followed.write("[server]\nport = x\n", to: "development.ini")
            try await eventually { await followed.manager.status.state == .rejected }
            #expect(await followed.manager.status.drift)
            #expect(followed.manager.current.server.port == 1)

            try followed.write("[server]\nport = 1\n", to: "development.ini")
            try await eventually { await followed.manager.status.state == .running }
            let status = await followed.manager.status
            #expect(!status.drift)
            #expect(status.lastAttempt?.outcome != .rejected)
            #expect(followed.versions == 1)
        }
    }

    @Test func `An empty file is waited for, and refused when it stays empty`() async throws {
        try await Followed.run(["development.ini": "[server]\nport = 1\n"]) { followed in
            try followed.write("", to: "development.ini")
            try followed.write("[server]\nport = 2\n", to: "development.ini")
            try await followed.until(port: 2)

            try followed.write("", to: "development.ini")
            try await eventually { await followed.manager.status.state == .rejected }
            #expect(await followed.manager.status.lastAttempt?.diagnostics.first?.code == "empty-document")
            #expect(followed.manager.current.server.port == 2)
            guard case .committed = try await followed.manager.reload(isForced: true) else {
                Issue.record("a forced reload takes the file at its word")
                return
            }
            #expect(followed.manager.current.server.port == 8080)
        }
    }

    @Test func `A change that takes most settings away waits for a word`() async throws {
        let many = "[server]\nport = 1\n[labels]\n" + (0..<20).map { "l\($0) = x\n" }.joined()
        try await Followed.run(["development.ini": many]) { followed in
            try followed.write("[server]\nport = 2\n", to: "development.ini")
            try await eventually { await followed.manager.status.state == .rejected }
            #expect(await followed.manager.status.lastAttempt?.diagnostics.first?.code == "shrunk")
            #expect(followed.manager.current.server.port == 1)
            _ = try await followed.manager.reload(isForced: true)
            #expect(followed.manager.current.server.port == 2)
        }
    }

    @Test func `What changed while it started is not missed`() async throws {
        for _ in 0..<10 {
            try await Followed.run(
                ["development.ini": "[server]\nport = 1\n"],
                beforeRun: { followed in
                    try followed.write("[server]\nport = 2\n", to: "development.ini")
                }
            ) { followed in try await followed.until(port: 2) }
        }
    }

    @Test func `Following that ends leaves no descriptor behind`() async throws {
        func inotifies() -> Int {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
            return names.count {
                ((try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) ?? "").contains("inotify")
            }
        }
        for _ in 0..<50 { try await Followed.run(["development.ini": "[server]\nport = 1\n"]) { _ in } }
        // Other tests of this process follow directories of their own meanwhile.
        try await eventually { inotifies() < 40 }
    }
}

private typealias Followed = FollowedDirectory<FollowedSettings>

extension FollowedDirectory<FollowedSettings> {
    fileprivate func until(port: Int) async throws { try await eventually { self.manager.current.server.port == port } }
}

/// A directory that a manager follows.
final class FollowedDirectory<Root: Settings>: Sendable {
    let directory: String
    let manager: ConfigManager<Root>
    private let committed = Atomic(1)

    var versions: Int { committed.load(ordering: .relaxed) }

    private init(_ directory: String, _ manager: ConfigManager<Root>) {
        self.directory = directory
        self.manager = manager
    }

    static func run(
        _ files: [String: String], prepare: (String) throws -> Void = { _ in }, beforeRun: (FollowedDirectory) throws -> Void = { _ in },
        _ test: (FollowedDirectory) async throws -> Void
    ) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "plue-follow-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: directory + "/" + name)) }
        try prepare(directory)
        var options = ConfigManager<Root>.Options()
        options.logger = quiet
        options.followsHangup = false
        options.policy = { _ in
            var policy = ReloadPolicy()
            policy.emptyGrace = .milliseconds(200)
            return policy
        }
        let source = DirectorySource(FilePath(directory), variables: [:])
        let manager = try await ConfigManager(Root.self, source: source, environment: .development, options: options)
        let followed = FollowedDirectory(directory, manager)
        manager.onChange { _, _ in followed.committed.add(1, ordering: .relaxed) }
        try beforeRun(followed)
        let running = Task { try await manager.run() }
        defer { running.cancel() }
        try await eventually { manager.watch.status.mode == .inotify }
        try await test(followed)
        running.cancel()
        _ = try? await running.value
    }

    /// In place: truncated, then written.
    func write(_ text: String, to name: String) throws { try Data(text.utf8).write(to: URL(filePath: directory + "/" + name)) }
    func rename(_ old: String, to new: String) throws {
        guard Foundation.rename("\(directory)/\(old)", "\(directory)/\(new)") == 0 else { throw Errno(rawValue: errno) }
    }
    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: directory + "/" + name) }
}

private struct FollowedSettings: Settings {
    struct Server: Settings {
        var port = 8080
        var token = Secret("none")

        static let schema = Schema<Self> {
            Setting("port", \.port)
            Setting("token", \.token)
        }
    }

    var server = Server()
    var labels: [String: String] = [:]

    static let schema = Schema<Self> {
        Section("server", \.server)
        Section("labels", \.labels)
    }
}
