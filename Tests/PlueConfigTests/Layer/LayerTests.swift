import Testing

@testable import PlueConfig

private struct Server: Settings {
    var host = "default"
    var port = 1
    var names: [String] = ["default"]
    var maxConnections = 10

    static let schema = Schema<Self> {
        Setting("host", \.host, "Host.")
        Setting("port", \.port, .range(1...65535), "Port.")
        Setting("names", \.names, "Names.")
        Setting("max_connections", \.maxConnections, "Connections.")
    }
}

private struct App: Settings {
    var server = Server()
    static let schema = Schema<Self> { Section("server", \.server) }
}

@Suite("Layers")
struct LayerTests {
    private func port(
        _ texts: [String: String], _ environment: EnvironmentName = "production", variables: [String: String] = [:],
        overrides: [String] = []
    ) throws -> Int {
        try Road(App.self, texts, environment: environment, variables: variables, overrides: overrides).settings().server.port
    }

    @Test("each layer wins over those below it")
    func precedence() throws {
        var texts = ["base.ini": "[other]\n"]
        texts = ["base.ini": "[server]\n"]
        #expect(try port(texts) == 1)
        texts["base.ini"] = "[server]\nport = 2\n"
        #expect(try port(texts) == 2)
        texts["staging.ini"] = "[server]\nport = 3\n"
        texts["production.ini"] = "[profile]\nextends = staging\n"
        #expect(try port(texts) == 3)
        texts["staging.d/a.ini"] = "[server]\nport = 33\n"
        #expect(try port(texts) == 33)
        texts["production.ini"] = "[profile]\nextends = staging\n[server]\nport = 4\n"
        #expect(try port(texts) == 4)
        texts["production.d/10-a.ini"] = "[server]\nport = 5\n"
        texts["production.d/9-b.ini"] = "[server]\nport = 6\n"
        #expect(try port(texts) == 6)
        #expect(try port(texts, variables: ["PLUE__SERVER__PORT": "7"]) == 7)
        #expect(try port(texts, variables: ["PLUE__SERVER__PORT": "7"], overrides: ["server.port=8"]) == 8)
    }

    @Test("lists are replaced, never merged, and a deleted line returns to the layer below")
    func lists() throws {
        let texts = ["base.ini": "[server]\nnames = a, b\n", "production.ini": "[server]\nnames = c\n"]
        #expect(try Road(App.self, texts, environment: "production").settings().server.names == ["c"])
        #expect(
            try Road(App.self, ["base.ini": texts["base.ini"] ?? "", "production.ini": ""], environment: "production").settings().server
                .names == ["a", "b"])
        #expect(try Road(App.self, ["base.ini": "[server]\nnames =\nhost =\n"]).settings().server.names == [])
        #expect(try Road(App.self, ["base.ini": "[server]\nnames =\nhost =\n"]).settings().server.host == "")
    }

    @Test("extends takes a list, left to right, and later wins; a profile reached twice counts once")
    func diamond() throws {
        let texts = [
            "root.ini": "[server]\nport = 1\nhost = root\nmax_connections = 1\n",
            "a.ini": "[profile]\nextends = root\n[server]\nport = 2\nhost = a\n",
            "b.ini": "[profile]\nextends = root\n[server]\nport = 3\n",
            "production.ini": "[profile]\nextends = a, b\n",
        ]
        let server = try Road(App.self, texts, environment: "production").settings().server
        #expect(server.port == 3)
        #expect(server.host == "a")
    }

    @Test("a circle of profiles is an error that shows the chain")
    func cycle() throws {
        let texts = ["a.ini": "[profile]\nextends = b\n", "b.ini": "[profile]\nextends = c\n", "c.ini": "[profile]\nextends = b\n"]
        let diagnostic = try #require(Road(App.self, texts, environment: "a").diagnostics().first)
        #expect(diagnostic.code == "profile-cycle")
        #expect(diagnostic.message.contains("b → c → b"))
        #expect(diagnostic.location?.file == "c.ini")
    }

    @Test("an extended profile that does not exist, and a [profile] where none belongs, are errors with a place")
    func misplaced() {
        #expect(
            Road(App.self, ["production.ini": "[profile]\nextends = stagin\n"], environment: "production").problems() == [
                "unknown-profile profile.extends production.ini:2:11"
            ])
        #expect(Road(App.self, ["base.ini": "[profile]\nextends = x\n"]).problems() == ["misplaced-profile profile base.ini:1:2"])
        #expect(
            Road(App.self, ["development.ini": "[profile]\nextend = x\n"]).problems() == ["unknown-key profile.extend development.ini:2:1"])
        #expect(
            Road(App.self, ["development.ini": "[profile]\nextends = A\n"]).problems() == [
                "invalid-name profile.extends development.ini:2:11"
            ])
    }

    @Test("neither base.ini nor the environment's document is an error that names both and what there is")
    func nothing() throws {
        let diagnostic = try #require(Road(App.self, ["staging.ini": ""], environment: "production").diagnostics().first)
        #expect(diagnostic.message == "neither base.ini nor production.ini exists")
    }

    @Test("unknown sections, keys and variables are errors with a suggestion")
    func unknown() throws {
        let road = Road(
            App.self, ["base.ini": "[servr]\nport = 1\n[server]\nprot = 80\nHost = x\nzzzzzz = 1\n"],
            variables: ["PLUE__SERVER__PROT": "1", "PLUE__PORT": "1", "PLUE_ENVIRONMENT": "x"])
        let diagnostics = road.diagnostics()
        #expect(
            diagnostics.map(\.code.rawValue).sorted() == [
                "unknown-key", "unknown-key", "unknown-key", "unknown-section", "unknown-variable", "unknown-variable",
            ])
        #expect(diagnostics.first { $0.key?.description == "server.prot" }?.label == "did you mean 'port'?")
        #expect(diagnostics.first { $0.key?.description == "server.prot" }?.location?.excerpt == "prot = 80")
        #expect(diagnostics.first { $0.key?.name == "Host" }?.label == "did you mean 'host'?")
        #expect(diagnostics.first { $0.key?.name == "zzzzzz" }?.location?.excerpt?.contains("1") == false)
        #expect(diagnostics.first { $0.code == "unknown-section" }?.label == "did you mean [server]?")
        #expect(diagnostics.contains { $0.hint == "did you mean PLUE__SERVER__PORT?" })
    }

    @Test("every value knows where it came from and what it overrides")
    func origins() throws {
        let planned = try Road(
            App.self, ["base.ini": "[server]\nport = 2\n", "development.ini": "[server]\n  port = 3\n"], overrides: ["server.host=cli"]
        ).plan()
        let port = try #require(planned.snapshot.settings[SettingKey(section: "server", name: "port")])
        #expect(port.origin.summary == "development.ini:2:10")
        #expect(port.contributions.map(\.origin.summary) == ["base.ini:2:8", "development.ini:2:10"])
        #expect(planned.snapshot.settings[SettingKey(section: "server", name: "host")]?.origin.summary == "--set server.host")
        #expect(planned.snapshot.settings[SettingKey(section: "server", name: "names")]?.origin.summary == "default")
    }
}
