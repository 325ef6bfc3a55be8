import Foundation
import InMemoryTracing
import Logging
import SystemPackage
import TestGround
import Testing
import Tracing

@testable import PlueConfig

/// The stages of the road as a tracer sees them.
@Suite struct TracingTests {
    private struct App: Settings {
        var server = Server()
        static let schema = Schema<App> { Section("server", \.server) }
    }

    private struct Server: Settings {
        var port = 1
        var name = ""
        var password: Secret<String>?
        static let schema = Schema<Server> {
            Setting("port", \.port, .range(1...65535), "Port.")
            Setting("name", \.name, "Name.")
            Setting("password", \.password, "Password.")
        }
    }

    private func manager(_ tracer: InMemoryTracer, _ text: String, in directory: TemporaryDirectory) async throws -> ConfigManager<App> {
        try directory.write(text, to: "development.ini")
        var options = ConfigManager<App>.Options()
        options.tracer = tracer
        options.followsHangup = false
        options.logger = quiet
        let manager = try await ConfigManager(App.self, directory: FilePath(directory.path), environment: .development, options: options)
        try await manager.start()
        tracer.clearAll(includingActive: false)
        return manager
    }

    @Test func `A change is one span with its stages in it, and one that is refused ends where it was refused`() async throws {
        let tracer = InMemoryTracer()
        let directory = try TemporaryDirectory()
        let manager = try await manager(tracer, "[server]\nport = 2\n", in: directory)
        _ = try await manager.apply(Edits([.set(SettingKey(section: "server", name: "port"), to: "3")]))
        let spans = tracer.popFinishedSpans()
        let root = try #require(spans.first { $0.operationName == "plue.change" })
        #expect(
            spans.filter { $0.operationName != "plue.change" }.map(\.operationName) == [
                "plue.edit", "plue.parse", "plue.layer", "plue.resolve", "plue.validate", "plue.plan", "plue.prepare", "plue.activate",
                "plue.verify", "plue.write", "plue.record",
            ])
        for span in spans where span.operationName != "plue.change" { #expect(span.spanContext.parentSpanID == root.spanContext.spanID) }
        #expect(root.attributes["plue.outcome"]?.toSpanAttribute() == "committed".toSpanAttribute())
        #expect(root.attributes["plue.changes"]?.toSpanAttribute() == 1.toSpanAttribute())

        _ = try await manager.apply(Edits([.set(SettingKey(section: "server", name: "port"), to: "99999")]))
        let refused = tracer.popFinishedSpans()
        #expect(refused.last?.operationName == "plue.change" && refused.last?.status?.code == .error)
        #expect(refused.first { $0.operationName == "plue.validate" }?.status?.code == .error)
        #expect(!refused.contains { $0.operationName == "plue.prepare" })

        try directory.write("[server]\nport = 4\n", to: "development.ini")
        _ = try await manager.reload()
        #expect(
            tracer.popFinishedSpans().map(\.operationName).filter { ["plue.read", "plue.reload"].contains($0) } == [
                "plue.read", "plue.reload",
            ])
    }

    @Test func `No span carries a value, a reason or the text of an error`() async throws {
        let tracer = InMemoryTracer()
        let directory = try TemporaryDirectory()
        let canary = "canary4711"
        let manager = try await manager(tracer, "[server]\nport = 2\nname = \(canary)\n", in: directory)
        for text in [canary, "${\(canary)}", "\"\(canary)"] {
            for name in ["name", "password", "port", canary] {
                _ = try await manager.apply(Edits([.set(SettingKey(section: "server", name: name), to: text)]), reason: canary)
            }
        }
        try directory.write("[\(canary)\n", to: "development.ini")
        _ = try await manager.reload()
        let spans = tracer.popFinishedSpans()
        #expect(spans.count > 20)
        for span in spans {
            var text = span.operationName + "\(span.events) \(span.errors) \(String(describing: span.status))"
            span.attributes.forEach { text += " \($0)=\($1)" }
            #expect(!text.contains(canary), "\(text)")
        }
    }
}

/// A directory of one test's own, gone with it.
private final class TemporaryDirectory {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "plue-trace-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path).appending(path: name), options: .atomic)
    }
}
