import Foundation
import Logging
import Synchronization
import SystemPackage
import TestGround
import Testing

@testable import PlueConfig

/// A program changes its own configuration: a manager over real files, with a service that does what the test says.
@Suite struct ChangeTests {
    @Test func `An update writes what differs into the document that owns it, and runs`() async throws {
        let changed = try await Changed()
        let outcome = try await changed.manager.update(reason: "quieter") {
            $0.server.port = 81
            $0.server.names = ["a", "b,c"]
        }
        guard case .committed(2, let plan) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(plan.changes.map(\.key.description) == ["server.names", "server.port"])
        #expect(changed.text == "# mine\n[server]\nport = 81\nnames = a, \"b,c\"\n")
        #expect(changed.manager.current.server.port == 81)
        // The files say what runs, so reading them again is no change.
        guard case .unchanged = try await changed.manager.reload() else {
            Issue.record("its own writing was taken for somebody else's")
            return
        }
        guard case .unchanged = try await changed.manager.update({ _ in }) else {
            Issue.record("nothing was changed")
            return
        }
        await #expect(throws: ConfigurationError.self) { try await changed.manager.update { $0.server.token = Secret("new") } }
        #expect(!changed.text.contains("new"))
    }

    @Test func `A service that refuses in any phase leaves the files as they were`() async throws {
        for phase in [ScriptedService.Phase.prepare, .verify] {
            let changed = try await Changed()
            changed.service.on(phase, 81, .fail(ServiceRefusal("no")))
            let outcome = try await changed.manager.apply(.port(81), reason: "try")
            guard case .rejected(let attempt) = outcome else {
                Issue.record("\(outcome)")
                continue
            }
            #expect(attempt.phase == (phase == .prepare ? .prepare : .verify))
            #expect(changed.text == Changed.original)
            #expect(changed.manager.current.server.port == 80)
            #expect(changed.service.live == 80)
            #expect(await changed.manager.status.drift == false)
        }
    }

    @Test func `A change that was refused stays the last attempt when the files are read again, as they are after every write`()
        async throws
    {
        let changed = try await Changed()
        changed.service.on(.prepare, 82, .fail(ServiceRefusal("no")))
        guard case .committed = try await changed.manager.apply(.port(81), reason: "good"),
            case .rejected = try await changed.manager.apply(.port(82), reason: "bad"),
            case .unchanged = try await changed.manager.reload()
        else {
            Issue.record("the changes ended otherwise")
            return
        }
        let status = await changed.manager.status
        #expect(status.lastAttempt?.outcome == .rejected && status.lastAttempt?.cause.reason == "bad")
        #expect(!status.drift && changed.manager.current.server.port == 81)
    }

    @Test(arguments: [WriteStep.stage("app.ini"), .replace("app.ini"), .sync])
    func `A disk that fails at any step refuses the change, what ran runs on, and the next change is made`(failing: WriteStep) async throws
    {
        let disk = Mutex<WriteStep?>(failing)
        let changed = try await Changed { step throws(Errno) in
            let fails = disk.withLock { failing in
                defer { if failing == step { failing = nil } }
                return failing == step
            }
            if fails { throw .ioError }
        }
        await #expect {
            try await changed.manager.apply(.port(81), reason: "try")
        } throws: { error in
            guard case ConfigurationError.change(.notWritten(let problem)) = error else { return false }
            return problem.cause == .system(.ioError)
        }
        #expect(changed.manager.current.server.port == 80)
        #expect(changed.service.live == 80)
        #expect(changed.text == Changed.original)
        guard case .committed = try await changed.manager.apply(.port(82), reason: "again") else {
            Issue.record("it did not recover")
            return
        }
        #expect(changed.text == "# mine\n[server]\nport = 82\n")
        #expect(changed.names == ["app.ini"])
    }

    @Test func `Changes asked for at the same time are made one after another, each on top of the one before`() async throws {
        let changed = try await Changed()
        await withTaskGroup { group in
            for number in 0..<20 {
                group.addTask {
                    try? await changed.manager.apply(
                        Edits([.set(SettingKey(section: "labels", name: "l\(number)"), to: "\(number)")]), reason: "\(number)")
                }
            }
        }
        #expect(changed.manager.current.labels.count == 20)
        #expect(changed.manager.snapshot.version == 21)
    }

    @Test func `Of two changes made for one version the second is refused`() async throws {
        let changed = try await Changed()
        let request = ChangeRequest(.port(81), cause: Cause(.api, actor: "a"), ifVersion: 1)
        try await changed.manager.apply(request)
        await #expect {
            try await changed.manager.apply(request)
        } throws: {
            guard case ConfigurationError.change(.stale(expected: 1, running: 2)) = $0 else { return false }
            return true
        }
    }

    @Test func `A rollback brings a version back, files included; one that a newer rule forbids changes nothing`() async throws {
        let changed = try await Changed()
        try await changed.manager.apply(.port(81), reason: "a")
        try await changed.manager.apply(Edits([.replace(document: "app.d/1.ini", with: Array("[labels]\nx = y\n".utf8))]), reason: "b")
        guard case .committed(4, _) = try await changed.manager.rollback(to: 1) else {
            Issue.record("no version")
            return
        }
        #expect(changed.text == Changed.original)
        #expect(changed.names == ["app.d", "app.ini"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: changed.directory + "/app.d").isEmpty)
        changed.service.on(.prepare, 81, .fail(ServiceRefusal("not any more")))
        guard case .rejected = try await changed.manager.rollback(to: 3) else {
            Issue.record("a version was made")
            return
        }
        #expect(changed.text == Changed.original)
    }
}

extension Edits {
    fileprivate static func port(_ number: Int) -> Edits { Edits([.set(SettingKey(section: "server", name: "port"), to: "\(number)")]) }
}

private struct Server: Settings {
    var port = 80
    var names: [String] = []
    var token = Secret("")
    static let schema = Schema<Self> {
        Setting("port", \.port)
        Setting("names", \.names)
        Setting("token", \.token)
    }
}

private struct App: Settings {
    var server = Server()
    var labels: [String: String] = [:]
    static let schema = Schema<Self> {
        Section("server", \.server)
        Section("labels", \.labels)
    }
}

/// A manager that has started on one document.
private final class Changed: Sendable {
    static let original = "# mine\n[server]\nport = 80\n"
    let directory: String
    let manager: ConfigManager<App>
    let service: ScriptedService

    init(before: @escaping @Sendable (WriteStep) throws(Errno) -> Void = { _ throws(Errno) in }) async throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "plue-change-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Data(Self.original.utf8).write(to: URL(filePath: directory + "/app.ini"))
        service = ScriptedService("server", Journal())
        var source = DirectorySource(FilePath(directory), variables: [:])
        source.beforeStep = before
        var options = ConfigManager<App>.Options()
        options.followsHangup = false
        options.logger = quiet
        manager = try await ConfigManager(App.self, source: source, environment: "app", options: options)
        try manager.register(service, following: ["server"], named: "server") { $0.server.port }
        try await manager.start()
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    var text: String { (try? String(contentsOfFile: directory + "/app.ini", encoding: .utf8)) ?? "" }
    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted() }
}
