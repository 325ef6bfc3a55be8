import Synchronization
import Testing

@testable import PlueConfig

private struct Values: Settings {
    var a = "", b = ""
    var list: [String] = []
    var number = 5
    var secretFile: String?

    static let schema = Schema<Self> {
        Setting("a", \.a)
        Setting("b", \.b)
        Setting("list", \.list)
        Setting("number", \.number)
        Setting("secret_file", \.secretFile)
    }
}

private struct App: Settings {
    var v = Values()
    static let schema = Schema<Self> { Section("v", \.v) }
}

/// Where encrypted values are opened, and where not. What opens them here turns `enc:v1:x` into `plain x`.
@Suite struct EncryptedValueTests {
    private let places = Places()

    private final class Places: Sendable {
        let asked = Mutex<[SecretPlace]>([])
    }

    private func road(_ texts: [String: String], _ variables: [String: String] = [:], _ overrides: [String] = []) -> Road<App> {
        var road = Road(App.self, texts, variables: variables, overrides: overrides)
        let places = places
        road.keys = SecretKeys(generation: "1") { token, place throws(UndecryptableSecret) in
            places.asked.withLock { $0.append(place) }
            guard token.hasPrefix("enc:v1:"), !token.hasSuffix("bad") else {
                throw UndecryptableSecret("is encrypted with a key that is not there", hint: "bring it")
            }
            return Secret(token == "enc:v1:7" ? "7" : "plain \(token.dropFirst(7)), more")
        }
        return road
    }

    @Test func `A whole value is opened where it stands, in every layer`() throws {
        let planned = try road(
            [
                "base.ini": "[v]\na = enc:v1:one\nnumber = enc:v1:7\n", "development.ini": "[v]\nb = \"enc:v1:two\"\n",
                "development.d/1.ini": "[v]\nlist = enc:v1:three\n",
            ], [:], ["v.secret_file=enc:v1:four"]
        ).plan()
        let values = planned.snapshot.value.v
        #expect(values.a == "plain one, more")
        #expect(values.b == "plain two, more")
        #expect(values.list == ["plain three", "more"])
        #expect(values.number == 7)
        #expect(values.secretFile == "plain four, more")
        let places = places.asked.withLock { Set($0.map { "\($0.profile) \($0.key) \($0.type)" }) }
        #expect(
            places == [
                "base v.a string", "base v.number integer", "development v.b string", "development v.list list of string",
                "development v.secret_file string",
            ])
        // Whatever the schema says, it is secret from here on.
        for setting in planned.snapshot.settings where setting.isExplicit { #expect(setting.content.isSecret, "\(setting.key)") }
    }

    @Test func `A variable may hold one, and a value that refers to one takes it over`() throws {
        let settings = try road(["base.ini": "[v]\nb = <${config:v.a}>\n"], ["PLUE__V__A": "enc:v1:x"]).plan().snapshot
        #expect(settings.value.v.b == "<plain x, more>")
        #expect(settings.settings[SettingKey(section: "v", name: "b")]?.content.isSecret == true)
    }

    @Test func `In single quotes, and behind other text, it is text`() throws {
        let values = try road(["base.ini": "[v]\na = 'enc:v1:x'\nb = x enc:v1:x\n"]).settings().v
        #expect(values.a == "enc:v1:x")
        #expect(values.b == "x enc:v1:x")
        #expect(try road(["base.ini": "[v]\na = enc:vault\n"]).settings().v.a == "enc:vault")
    }

    @Test(arguments: [
        ("a = enc:v1:bad", "secret.undecryptable v.a base.ini:2:5"), ("a = enc:v9:x", "secret.undecryptable v.a base.ini:2:5"),
        ("a = ${X}", "secret.undecryptable v.a base.ini:2:5"), ("a = ${X}${X}", "secret.undecryptable v.a base.ini:2:5"),
        ("list = y, enc:v1:x", "secret.undecryptable v.list base.ini:2:8"), ("list = ${X}, y", "secret.undecryptable v.list base.ini:2:8"),
    ]) func `What does not open is refused at its place, and is never a value`(line: String, problem: String) {
        var road = road(["base.ini": "[v]\n\(line)\n"], ["X": "enc:v1:x"])
        #expect(road.problems().map { String($0.prefix(problem.count)) } == [problem])
        road.keys = nil
        #expect(road.problems().map { String($0.prefix(problem.count)) } == [problem])
    }

    @Test func `The file that a variable names holds the value, which is secret`() throws {
        var road = road(["base.ini": "[v]\na = x\n"], ["PLUE__V__A_FILE": "/run/a", "PLUE__V__SECRET_FILE": "/run/b"])
        road.secrets = ["/run/a": "from ${NOWHERE}"]
        let planned = try road.plan()
        #expect(planned.snapshot.value.v.a == "from ${NOWHERE}")
        #expect(planned.snapshot.settings[SettingKey(section: "v", name: "a")]?.content.isSecret == true)
        // A setting of that very name goes first.
        #expect(planned.snapshot.value.v.secretFile == "/run/b")

        road.variables["PLUE__V__A"] = "y"
        #expect(road.problems() == ["ambiguous-variable v.a $PLUE__V__A_FILE:1:1"])
        road.variables = ["PLUE__V__A_FILE": "/run/missing"]
        #expect(road.problems() == ["unreadable-secret v.a $PLUE__V__A_FILE:1:1"])
        road.variables = ["PLUE__V__NOTHING_FILE": "/run/a"]
        #expect(road.problems() == ["unknown-variable $PLUE__V__NOTHING_FILE:1:1"])
    }
}
