import Foundation
import Synchronization
import SystemPackage
import TestGround
import Testing

@testable import PlueConfig

private struct Watching: Settings {
    struct Server: Settings {
        var port = 80
        var certificate: WatchedFile?
        var key: WatchedFile?
        var template: WatchedFile = "/default"
        var seed: WatchedFile?

        static let schema = Schema<Self> {
            Setting("port", \.port)
            Setting("certificate", \.certificate, .readable, "What is served.")
            Setting("key", \.key, .secret)
            Setting("template", \.template)
            Setting("seed", \.seed, .restart)
            Rule("the key belongs to the certificate", blames: \.certificate, \.key) { settings, _ in
                guard let certificate = settings.certificate?.text, let key = settings.key?.text else { return nil }
                return certificate == key ? nil : "the key is of another certificate than \(settings.certificate?.path.string ?? "")"
            }
        }
    }

    var server = Server()

    static let schema = Schema<Self> { Section("server", \.server) }
}

extension WatchedFile {
    fileprivate var text: String { content.withExposed { String(decoding: $0, as: UTF8.self) } }
}

@Suite struct WatchedFileTests {
    private func road(_ text: String, _ files: [FilePath: String], variables: [String: String] = [:]) -> Road<Watching> {
        var road = Road(Watching.self, ["base.ini": "[server]\n" + text], variables: variables)
        road.files = MemoryFiles(files.mapValues { .success(Array($0.utf8)) })
        return road
    }

    @Test func `A file's content comes with its path, however the path is written, and also by default`() throws {
        let files: [FilePath: String] = ["/a": "A", "/b": "B", "/default": "D"]
        #expect(try road("certificate = /a", files).settings().server.certificate?.text == "A")
        #expect(try road("certificate = /${NAME}", files, variables: ["NAME": "b"]).settings().server.certificate?.text == "B")
        #expect(try road("", files, variables: ["PLUE__SERVER__CERTIFICATE": "/b"]).settings().server.certificate?.text == "B")
        #expect(try road("seed = /a\ncertificate = ${config:server.seed}", files).settings().server.certificate?.text == "A")
        var overridden = road("certificate = /a", files)
        overridden.overrides = ["server.certificate=/b"]
        #expect(try overridden.settings().server.certificate?.text == "B")
        #expect(try road("", files).settings().server.template.text == "D")
        #expect(try road("", [:]).settings().server.template.text == "", "a default that this machine lacks is no mistake")
        #expect(try road("port = 1", files).settings().server.certificate == nil)
    }

    @Test func `Other content under the same path is a change of the setting, with its service, and shows no content`() throws {
        let text = "certificate = /a\nkey = /b\nport = 1"
        let running = try road(text, ["/a": "canary-1", "/b": "canary-1"]).plan()
        let plan = try road(text, ["/a": "canary-2", "/b": "canary-2"]).plan(beside: running).plan
        #expect(plan.changes.map(\.key.description) == ["server.certificate", "server.key"])
        #expect(plan.changes.allSatisfy { !$0.old.isSame(as: $0.new) })
        #expect(plan.changes.first?.isOfContentOnly == true)
        let fingerprints = Fingerprints.ephemeral()
        let (old, new) = (fingerprints.shown(plan.changes[0].old), fingerprints.shown(plan.changes[0].new))
        #expect(old != new)
        #expect(old.json == "/a")
        // The path of this one is a secret itself.
        #expect(!fingerprints.shown(plan.changes[1].new).description.contains("/b"))
        var dumped = "\(plan) \(old) \(new)"
        dump(plan, to: &dumped)
        dump(running.snapshot.value, to: &dumped)
        #expect(!dumped.contains("canary") && !dumped.contains("[99, 97"))
        #expect(try road(text, ["/a": "canary-1", "/b": "canary-1"]).plan(beside: running).plan.isEmpty)
    }

    @Test func `A file that is missing, too large or no file is one error with its place`() throws {
        #expect(road("\ncertificate = /a", [:]).problems() == ["path server.certificate base.ini:3:15"])
        var strange = road("template = /a", [:])
        strange.files = MemoryFiles(["/a": .failure(FileReadError(path: "/a", cause: .notRegular))])
        #expect(strange.diagnostics().map(\.message) == ["server.template names a file that cannot be read: /a is not a regular file"])
        let large = road("template = /a", ["/a": String(repeating: "x", count: 1_048_577)])
        #expect(large.problems() == ["unreadable-file server.template base.ini:2:12"])
        #expect(road("key = /a", [:]).diagnostics().map(\.message) == ["server.key names a file that cannot be read"])
    }

    @Test func `A rule over contents says what is wrong in its own words`() throws {
        let diagnostic = try #require(road("certificate = /a\nkey = /b", ["/a": "A", "/b": "B"]).diagnostics().first)
        #expect(diagnostic.message == "the key is of another certificate than /a")
        #expect(diagnostic.location?.line == 2)
        #expect(diagnostic.related.map(\.message) == ["with server.key"])
    }

    @Test func `What only counts from the next start on waits for it, content included`() throws {
        let running = try road("seed = /a", ["/a": "A"]).plan()
        let next = try road("seed = /a", ["/a": "B"]).plan(beside: running)
        #expect(next.snapshot.pendingRestart.map(\.description) == ["server.seed"])
        #expect(next.snapshot.value.server.seed?.text == "A")
        let back = try road("seed = /a", ["/a": "A"]).plan(beside: next)
        #expect(back.snapshot.pendingRestart.isEmpty)
    }

    @Test func `A rotation is a version; a pair that changes in two steps runs once both are there`() async throws {
        try await Self.following(["a": "1", "b": "1", "development.ini": "[server]\ncertificate = DIR/a\nkey = DIR/b\n"]) { followed in
            #expect(followed.manager.current.server.certificate?.text == "1")
            try followed.replace("a", with: "2")
            try await eventually { await followed.manager.status.state == .rejected }
            #expect(followed.manager.current.server.certificate?.text == "1")
            let problem = await followed.manager.status.lastAttempt?.problem
            #expect(problem?.hasPrefix("the key is of another certificate than") == true)

            try followed.replace("b", with: "2")
            try await eventually { followed.manager.current.server.key?.text == "2" }
            #expect(followed.manager.current.server.certificate?.text == "2")
            try await eventually { await followed.manager.status.state == .running }
            #expect(await !followed.manager.status.drift)
            #expect(followed.versions == 2)
            let attempt = await followed.manager.status.lastAttempt
            #expect(attempt?.cause.actor == "file:\(getuid())")

            // Half of a pair that is taken back is forgotten without a trace.
            try followed.replace("a", with: "3")
            try await eventually { await followed.manager.status.state == .rejected }
            try followed.replace("a", with: "2")
            try await eventually { await followed.manager.status.state == .running }
            #expect(followed.versions == 2)
        }
    }

    @Test func `A file that is gone keeps what runs, and is followed when it comes again`() async throws {
        try await Self.following(["a": "1", "development.ini": "[server]\ncertificate = DIR/a\n"]) { followed in
            try followed.remove("a")
            try await eventually { await followed.manager.status.state == .rejected }
            #expect(followed.manager.current.server.certificate?.text == "1")
            try followed.replace("a", with: "2")
            try await eventually { followed.manager.current.server.certificate?.text == "2" }
        }
    }

    @Test func `A document and the files that it names are of one moment, however they are swapped`() async throws {
        func volume(_ directory: String, _ number: Int) throws {
            try FileManager.default.createDirectory(atPath: "\(directory)/..\(number)", withIntermediateDirectories: true)
            let text = "[server]\nport = \(number)\ncertificate = \(directory)/a\nkey = \(directory)/b\n"
            for (name, text) in ["development.ini": text, "a": "\(number)", "b": "\(number)"] {
                try Data(text.utf8).write(to: URL(filePath: "\(directory)/..\(number)/\(name)"))
            }
        }
        let seen = Mutex<[Watching.Server]>([])
        let refused = Atomic(0)
        try await FollowedDirectory<Watching>.run(
            [:],
            prepare: { directory in
                try volume(directory, 0)
                for (link, target) in ["..data": "..0", "development.ini": "..data/development.ini", "a": "..data/a", "b": "..data/b"] {
                    try FileManager.default.createSymbolicLink(atPath: "\(directory)/\(link)", withDestinationPath: target)
                }
            }
        ) { followed in
            followed.manager.onChange { _, new in seen.withLock { $0.append(new.server) } }
            followed.manager.onReload { event in
                if case .ended(.rejected) = event { refused.add(1, ordering: .relaxed) }
            }
            for number in 1...300 {
                try volume(followed.directory, number)
                try FileManager.default.createSymbolicLink(atPath: "\(followed.directory)/..new", withDestinationPath: "..\(number)")
                try followed.rename("..new", to: "..data")
                // Now and then somebody reads while the next one comes.
                if number.isMultiple(of: 7) { async let _ = followed.manager.reload() }
            }
            try await eventually { followed.manager.current.server.port == 300 }
        }
        let all = seen.withLock { $0 }
        #expect(all.count > 1)
        #expect(all.allSatisfy { $0.certificate?.text == "\($0.port)" && $0.key?.text == "\($0.port)" })
        #expect(refused.load(ordering: .relaxed) == 0)
    }

    /// Runs with the files' directory written for `DIR`.
    private static func following(_ files: [String: String], _ test: (FollowedDirectory<Watching>) async throws -> Void) async throws {
        try await FollowedDirectory<Watching>.run(
            [:],
            prepare: { directory in
                for (name, text) in files {
                    try Data(text.replacing("DIR", with: directory).utf8).write(to: URL(filePath: "\(directory)/\(name)"))
                }
            }, test)
    }
}

extension FollowedDirectory {
    fileprivate func replace(_ name: String, with text: String) throws {
        try write(text, to: name + "~")
        try rename(name + "~", to: name)
    }
}
