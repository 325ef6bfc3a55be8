import Testing

@testable import PlueConfig

@Suite("Validation")
struct ValidateTests {
    private func road(_ text: String, environment: EnvironmentName = .development) -> Road<AppSettings> {
        Road(AppSettings.self, ["base.ini": text], environment: environment, variables: ["KEY": "abcd", "SHORT": "abc"])
    }

    @Test("a valid candidate becomes the settings struct")
    func valid() throws {
        let settings = try road("[server]\nport = 80\nrequest_timeout = 1m30s\n[security]\nsecret_key = ${KEY}\n").settings()
        #expect(settings.server.port == 80)
        #expect(settings.server.host == "127.0.0.1")
        #expect(settings.server.requestTimeout == .seconds(90))
        #expect(settings.security.secretKey.withExposed { $0 } == "abcd")
        #expect(settings.security.jwtSecret == nil)
    }

    @Test("all errors are found at once, each with its code and place")
    func everything() {
        #expect(
            road("[server]\nport = 99999\nhost =\ndebug = maybe\nrequest_timeout = 30\n[security]\nsecret_key = ${SHORT}\n").problems() == [
                "range server.port base.ini:2:8", "empty server.host base.ini:3:7", "type server.debug base.ini:4:9",
                "type server.request_timeout base.ini:5:19", "length security.secret_key base.ini:7:14",
            ])
        #expect(road("[server]\nhost = x\n").problems() == ["required security.secret_key", "required server.port base.ini:1:2"])
    }

    @Test("a diagnostic says what was found, what was expected, and what it overrides")
    func words() throws {
        let road = Road(
            AppSettings.self,
            ["base.ini": "[server]\nport = 8080\n[security]\nsecret_key = ${KEY}\n", "production.ini": "[server]\nport = 99999\n"],
            environment: "production", variables: ["KEY": "abcd"])
        let diagnostic = try #require(road.diagnostics().first)
        #expect(diagnostic.message == "server.port is 99999, but must be between 1 and 65535")
        #expect(diagnostic.label == "expected 1...65535")
        #expect(diagnostic.related.map(\.message) == ["overrides 8080 from base.ini:2:8"])
        #expect(diagnostic.location?.excerpt == "port = 99999")
    }

    @Test("no diagnostic of a secret setting holds a part of its value")
    func secrets() {
        for text in [
            "[server]\nport = 1\n[security]\nsecret_key = hun\n", "[server]\nport = 1\n[security]\nsecret_key: hunter2\n",
            "[security]\nsecret_kee = hunter2\n", "[security]\nhunter2hunter2\n", "[security]\nsecret_key = \"hunter2\n",
        ] {
            let diagnostics = road(text).diagnostics()
            #expect(diagnostics.hasErrors)
            #expect(!"\(diagnostics)".contains("hun"), "\(text)")
        }
    }

    @Test("a secret in plain text is doubtful")
    func plainSecret() {
        let found = road("[server]\nport = 1\n[security]\nsecret_key = hunter2\njwt_secret = <${KEY}>\n").diagnostics()
        #expect(found.map { "\($0.severity) \($0.code) \($0.key?.description ?? "")" } == ["warning plain-secret security.secret_key"])
        #expect(!"\(found)".contains("hun"))
    }

    @Test("a rule over several settings points at the one it blames")
    func rules() throws {
        let diagnostics = road("[server]\nport = 1\ndebug = yes\n[security]\nsecret_key = ${KEY}\n", environment: "production")
            .diagnostics()
        #expect(diagnostics.map(\.message) == ["rule broken: debug is off in production"])
        #expect(diagnostics.first?.location?.line == 3)
        #expect(diagnostics.first?.key?.description == "server.debug")
    }
}

private struct Kinds: Settings {
    enum Level: String, CaseIterable, SettingValue { case debug, info }
    struct Upstream: Settings {
        var url = "none"
        var weight = 1
        static let schema = Schema<Self> {
            Setting("url", \.url, .required)
            Setting("weight", \.weight, .range(1...))
        }
    }
    struct TLS: Settings {
        var certificate = ""
        var key = ""
        static let schema = Schema<Self> {
            Setting("certificate", \.certificate, .required)
            Setting("key", \.key, .required)
        }
    }
    struct Inner: Settings {
        var level = Level.info
        var size = ByteSize.mebibytes(16)
        var ratio = 0.5
        var address: IPAddress?
        var network: CIDR?
        var peer: HostPort?
        var numbers: [Int] = []
        var old = 0
        var boot = 1
        static let schema = Schema<Self> {
            Setting("level", \.level)
            Setting("size", \.size, .range(.bytes(1) ... .mebibytes(64)))
            Setting("ratio", \.ratio)
            Setting("address", \.address)
            Setting("network", \.network)
            Setting("peer", \.peer)
            Setting("numbers", \.numbers, .unique(), .each(.range(1...9)), .length(0...3))
            Setting("new_name", \.old)
            Setting("old_name", \.old, .deprecated(use: "new_name"))
            Setting("boot", \.boot, .restart)
        }
    }
    var inner = Inner()
    var upstreams: [String: Upstream] = [:]
    var labels: [String: Int] = [:]
    var tls: TLS?
    static let schema = Schema<Self> {
        Section("inner", \.inner)
        Section("upstream", \.upstreams)
        Section("labels", \.labels, .range(0...10), "Anything.")
        Section("tls", \.tls)
    }
}

@Suite("Types and sections")
struct KindTests {
    private func road(_ text: String) -> Road<Kinds> { Road(Kinds.self, ["base.ini": text]) }

    @Test("every type reads its spellings")
    func types() throws {
        let inner = try road(
            "[inner]\nlevel = debug\nsize = 10MiB\nratio = 1e-2\naddress = 2001:DB8::0:1\nnetwork = 10.0.0.0/8\npeer = [::1]:80\nnumbers = 1, 2\n"
        ).settings().inner
        #expect(inner.level == .debug)
        #expect(inner.size.bytes == 10 * 1_048_576)
        #expect(inner.ratio == 0.01)
        #expect(inner.address?.description == "2001:db8::1")
        #expect(inner.network?.contains(try #require(IPAddress("10.9.8.7"))) == true)
        #expect(inner.peer?.port == 80)
        #expect(inner.numbers == [1, 2])
    }

    @Test(
        "a wrong spelling is an error of its type",
        arguments: [
            "level = loud", "size = 10XB", "size = 99999999999999TiB", "ratio = nan", "address = 1.2.3", "network = 10.0.0.1/8",
            "network = 10.0.0.0/33", "peer = host",
            "peer = h:0", "peer = a:b:1", "numbers = 1, x", "level =",
        ])
    func wrong(line: String) {
        #expect(road("[inner]\n\(line)\n").diagnostics().map(\.code) == ["type"])
    }

    @Test("rules over lists: unique, each, length", arguments: [("1, 1", "unique"), ("1, 10", "range"), ("1, 2, 3, 4", "length")])
    func lists(items: String, code: String) {
        #expect(road("[inner]\nnumbers = \(items)\n").diagnostics().map(\.code.rawValue) == [code])
    }

    @Test("sections and keys of the user's choosing become dictionaries")
    func dictionaries() throws {
        let settings = try road("[upstream.a]\nurl = x\n[upstream.b]\nurl = y\nweight = 3\n[labels]\none = 1\nten = 10\n").settings()
        #expect(settings.upstreams.mapValues(\.weight) == ["a": 1, "b": 3])
        #expect(settings.labels == ["one": 1, "ten": 10])
        #expect(
            road("[upstream.a]\nweight = 0\n[labels]\nx = 11\n").problems() == [
                "required upstream.a.url base.ini:1:2", "range upstream.a.weight base.ini:2:10", "range labels.x base.ini:4:5",
            ])
    }

    @Test("an optional section is absent until something in it is set, and whole then")
    func optional() throws {
        #expect(try road("").settings().tls == nil)
        #expect(try road("[tls]\ncertificate = c\nkey = k\n").settings().tls?.key == "k")
        #expect(road("[tls]\ncertificate = c\n").problems() == ["required tls.key base.ini:1:2"])
    }

    @Test("a deprecated name is read with a warning, and ignored beside the new one")
    func deprecated() throws {
        #expect(try road("[inner]\nold_name = 3\n").settings().inner.old == 3)
        #expect(road("[inner]\nold_name = 3\n").problems() == ["deprecated inner.old_name base.ini:2:1"])
        #expect(try road("[inner]\nnew_name = 4\nold_name = 3\n").settings().inner.old == 4)
    }

    @Test("a setting that waits for a restart keeps its running value and is shown as pending")
    func restart() throws {
        let first = try road("[inner]\nboot = 2\n").plan()
        let second = try road("[inner]\nboot = 3\nlevel = debug\n").plan(beside: first)
        #expect(second.snapshot.value.inner.boot == 2)
        #expect(second.snapshot.pendingRestart.map(\.description) == ["inner.boot"])
        let back = try road("[inner]\nboot = 2\n").plan(beside: second)
        #expect(back.snapshot.pendingRestart.isEmpty)
        let removed = try road("").plan(beside: second)
        #expect(removed.snapshot.value.inner.boot == 2)
    }
}

private struct Contradictory: Settings {
    var a = 0, b = 0
    static let schema = Schema<Self> {
        Setting("a", \.a, .range(1...2))
        Setting("a", \.b)
        Setting("b c", \.b)
        Setting("d", \.a, .deprecated(use: "zzz"))
    }
}

@Suite("A schema that contradicts itself")
struct ContradictionTests {
    @Test("says each contradiction, naming the setting")
    func sentences() {
        let found = Contradictory.schema.contradictions
        #expect(found.count == 5)
        #expect(found.contains("the default of 'a' breaks its own rule: it must be between 1 and 2"))
        #expect(found.contains("two settings are named 'a'"))
        #expect(found.contains("'d' is replaced by 'zzz', which does not exist"))
    }
}
