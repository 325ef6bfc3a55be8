import Testing

@testable import PlueConfig

private struct Values: Settings {
    var a = "", b = "", c = "default c", d = ""
    var list: [String] = []
    var number = 5
    var secret = Secret("")
    var unset: String?

    static let schema = Schema<Self> {
        Setting("a", \.a)
        Setting("b", \.b)
        Setting("c", \.c)
        Setting("d", \.d)
        Setting("list", \.list)
        Setting("number", \.number)
        Setting("secret", \.secret)
        Setting("unset", \.unset)
    }
}

private struct App: Settings {
    var v = Values()
    static let schema = Schema<Self> { Section("v", \.v) }
}

@Suite("Substitution")
struct SubstitutionTests {
    private let variables = ["NAME": "value", "EMPTY": "", "TRICK": "${NAME}", "LIST": "x, y,z"]

    private func road(_ lines: String) -> Road<App> {
        var road = Road(App.self, ["base.ini": "[v]\n" + lines], variables: variables)
        road.secrets = ["/run/s": "from file"]
        return road
    }

    @Test(
        "each form yields what the table says",
        arguments: [
            ("${NAME}", "value"), ("${env:NAME}", "value"), ("x${NAME}y${NAME}", "xvaluey" + "value"), ("${NONE:-text}", "text"),
            ("${EMPTY:-text}", "text"), ("${EMPTY}", ""), ("${NAME:?why}", "value"), ("${NONE:-}", ""), ("$${NAME}", "${NAME}"),
            ("pa$$word $1 $", "pa$$word $1 $"),
            ("${config:v.c}", "default c"), ("${config:v.number}", "5"), ("${file:/run/s}", "from file"), ("\"${NAME}\\n\"", "value\n"),
            ("'${NAME}'", "${NAME}"),
            ("\"\\u{24}{NAME}\"", "${NAME}"), ("${TRICK}", "${NAME}"), ("$$${NAME}", "$${NAME}"), ("${NONE:-a:-b}", "a:-b"),
        ])
    func forms(written: String, expected: String) throws {
        #expect(try road("a = \(written)\n").settings().v.a == expected)
    }

    @Test(
        "what cannot be substituted is an error at the reference",
        arguments: [
            ("${NONE}", "unset-variable", 5), ("x ${NONE:?set it}", "unset-variable", 7), ("${EMPTY:?set it}", "unset-variable", 5),
            ("${1X}", "substitution", 5),
            ("${}", "substitution", 5), ("${NAME", "substitution", 5), ("${NAME:+x}", "substitution", 5), ("${A:-${B}}", "substitution", 5),
            ("${config:v}", "substitution", 5),
            ("${config:v.zz}", "unknown-key", 5), ("${config:v.unset}", "unset-setting", 5), ("${file:/missing}", "unreadable-secret", 5),
            ("${file:}", "substitution", 5),
            ("${credential:x}", "unreadable-secret", 5), ("${credential:../x}", "substitution", 5), ("${vault:x}", "substitution", 5),
        ])
    func errors(written: String, code: String, column: Int) {
        #expect(road("a = \(written)\n").problems() == ["\(code) v.a base.ini:2:\(column)"])
    }

    @Test("an unquoted reference in a list may yield several items, a quoted one yields one")
    func lists() throws {
        #expect(try road("list = a, ${LIST}, \"${LIST}\"\n").settings().v.list == ["a", "x", "y", "z", "x, y,z"])
    }

    @Test("settings that refer to each other in a circle are an error that shows the chain")
    func cycles() throws {
        let diagnostics = road("a = ${config:v.b}\nb = ${config:v.d}\nd = x${config:v.b}\n").diagnostics()
        #expect(diagnostics.map(\.code) == ["substitution-cycle"])
        #expect(diagnostics.first?.message.contains("v.b → v.d → v.b") == true)
        #expect(road("a = ${config:v.a}\n").problems() == ["substitution-cycle v.a base.ini:2:5"])
    }

    @Test("settings that double each other end in an error, not in memory")
    func bomb() {
        var lines = "a = ${config:v.b}${config:v.b}\nb = ${config:v.d}${config:v.d}\nd = ${config:v.c}${config:v.c}\nc = "
        lines += String(repeating: "x", count: 200_000) + "\n"
        #expect(Set(road(lines).diagnostics().map(\.code)) == ["too-long"])
    }

    @Test("what takes a part from something secret is secret")
    func secrecy() throws {
        let settings = try road("a = ${file:/run/s}\nb = ${config:v.a}!\nsecret = s\nd = ${config:v.secret}\nc = ${NAME}\n").plan().snapshot
            .settings
        let secret = Set(settings.filter { $0.content.isSecret }.map(\.key.name))
        #expect(secret == ["a", "b", "d", "secret"])
    }

    @Test("variables that override are literal, --set is read like a document")
    func overrides() throws {
        var road = Road(App.self, ["base.ini": ""], variables: ["PLUE__V__A": "${NAME}", "NAME": "n"], overrides: ["v.b=${NAME}"])
        #expect(try road.settings().v.a == "${NAME}")
        #expect(try road.settings().v.b == "n")
        road.overrides = ["v.b=\"open"]
        #expect(road.problems().first?.hasPrefix("unterminated-quote v.b") == true)
    }
}
