import Foundation
import OrderedCollections
import PlueDocuments
import Testing

@testable import PlueConfig

/// A typed schema as others read it: JSON Schema, the reference page, the sample file.
@Suite struct JSONSchemaExportTests {
    private let model = ExportedRoot.schema.model

    @Test func `An exported schema says types, bounds, defaults, rules and flags in JSON Schema's words`() throws {
        let schema = model.jsonSchema(title: "Example")
        #expect(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema")
        #expect(schema["title"] == "Example")
        let server = try #require(schema["properties"]?["server"])
        #expect(server["additionalProperties"] == false)
        #expect(server["required"] == ["port"])
        let settings = try #require(server["properties"])
        #expect(
            settings["port"] == ["type": "integer", "minimum": 1, "maximum": 65535, "description": "TCP port.", "x-plue-restart": true])
        #expect(settings["host"] == ["type": "string", "minLength": 1, "description": "Address.", "default": "127.0.0.1"])
        #expect(settings["level"]?["enum"] == ["debug", "info"])
        #expect(settings["tags"]?["items"]?["type"] == "string")
        let secret = try #require(settings["password"])
        #expect(secret["writeOnly"] == true)
        #expect(secret["default"] == nil)
        #expect(settings["old_host"]?["deprecated"] == true)
        #expect(settings["old_host"]?["x-plue-use"] == "host")
    }

    @Test func `An exported schema that is imported again accepts and refuses the same documents`() throws {
        let imported = try ImportedSchema(model.jsonSchema(title: "Example"))
        let lines = [
            "port = 80", "port = 0", "port = 65536", "port = x", "host = a", "host =", "level = info", "level = loud",
            "timeout = 30s", "timeout = 30", "size = 1MiB", "size = 1 parsec", "ratio = 0.5", "ratio = half", "tags = a, b",
            "tags = a, a", "debug = on", "debug = maybe", "password = longer-than-8", "password = short", "nonsense = 1",
            "site = https://example.org/", "site = not a url", "address = ::1", "address = 300.1.1.1",
        ]
        for line in lines {
            let document = "[server]\n\(line.hasPrefix("port") ? "" : "port = 80\n")\(line)\n"
            let own = Road(ExportedRoot.self, ["base.ini": document]).diagnostics().filter { $0.severity == .error }
            let other = imported.diagnostics(document).filter { $0.severity == .error }
            #expect(own.isEmpty == other.isEmpty, "\(line): \(own.map(\.message)) but imported \(other.map(\.message))")
        }
    }

    @Test func `The sample file lists every setting, and once what is required is filled in, it is valid`() throws {
        let sample = model.sampleINI()
        for name in ["host", "port", "level", "timeout", "size", "password"] { #expect(sample.contains("\(name) =")) }
        #expect(!sample.contains("old_host"))
        var document = try Document(parsing: Array(sample.utf8), name: "sample.ini")
        #expect(Road(ExportedRoot.self, ["base.ini": sample]).diagnostics().map { $0.key?.description } == ["server.port"])
        try document.set("port", in: "server", to: "80")
        let filled = String(decoding: document.bytes, as: UTF8.self)
        #expect(try Road(ExportedRoot.self, ["base.ini": filled]).settings().server.port == 80)
        // Uncommented, every default that there is is a valid value and changes nothing.
        let all = filled.split(separator: "\n").map { $0.hasPrefix(";") ? String($0.dropFirst()) : String($0) }
            .filter { !$0.hasSuffix(" =") }.joined(separator: "\n")
        let plan = try Road(ExportedRoot.self, ["base.ini": all]).plan()
        #expect(
            plan.snapshot.settings.filter { !$0.model.isSecret && $0.key.name != "port" }.allSatisfy { setting in
                setting.content.value.map { $0 == setting.model.defaultValue } ?? true
            })
    }

    @Test func `The reference page has a row for every setting, with no default of a secret and no markup from a description`() {
        let page = model.markdown(title: "Example | settings")
        #expect(page.hasPrefix("# Example \\| settings\n"))
        #expect(page.contains("## `[server]`"))
        for name in ["host", "port", "level", "timeout", "size", "tags", "password", "old_host"] { #expect(page.contains("| `\(name)` |")) }
        #expect(page.contains("**required**"))
        #expect(!page.contains("default-secret"))
        #expect(page.contains("between 0 \\| 1, \\*really\\*"))
    }
}

private enum Level: String, CaseIterable, Sendable, SettingValue {
    case debug, info
}

private struct ExportedServer: Settings {
    var host = "127.0.0.1"
    var oldHost: String?
    var port = 8080
    var debug = false
    var level = Level.info
    var timeout: Duration = .seconds(30)
    var size = ByteSize.mebibytes(1)
    var ratio = 0.25
    var tags: [String] = ["a", "b, c"]
    var password = Secret("default-secret")
    var site: URL?
    var address: IPAddress?

    static let schema = Schema<Self> {
        Setting("host", \.host, .notEmpty, "Address.")
        Setting("old_host", \.oldHost, .deprecated(use: "host"))
        Setting("port", \.port, .required, .range(1...65535), .restart, "TCP port.")
        Setting("debug", \.debug)
        Setting("level", \.level)
        Setting("timeout", \.timeout, .range(.seconds(1) ... .seconds(600)))
        Setting("size", \.size)
        Setting("ratio", \.ratio, "A share between 0 | 1, *really*.")
        Setting("tags", \.tags, .unique())
        Setting("password", \.password, .length(8...))
        Setting("site", \.site)
        Setting("address", \.address)
    }
}

private struct ExportedRoot: Settings {
    var server = ExportedServer()

    static let schema = Schema<Self> { Section("server", \.server) }
}
