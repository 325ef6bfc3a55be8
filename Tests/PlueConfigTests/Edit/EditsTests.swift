import PlueDocuments
import Testing

@testable import PlueConfig

private struct Server: Settings {
    var host = "127.0.0.1"
    var port = 8080
    var names: [String] = []
    var token = Secret("")
    static let schema = Schema<Self> {
        Setting("host", \.host)
        Setting("port", \.port)
        Setting("names", \.names)
        Setting("token", \.token)
    }
}

private struct App: Settings {
    var server = Server()
    static let schema = Schema<Self> { Section("server", \.server) }
}

@Suite struct EditsTests {
    private let texts = [
        "base.ini": "[server]\nport = 80\n", "staging.ini": "[server]\nhost = a\n",
        "production.ini": "[profile]\nextends = staging\n\n# the port\n[server]\nport = 1 \r\n",
        "production.d/5-x.ini": "[server]\nport = 2\n",
    ]

    private func changes(_ steps: [Edits.Edit], variables: [String: String] = [:], overrides: [Override] = []) -> [String: String] {
        let candidate = Candidate(environment: .production, texts: texts, variables: variables, overrides: overrides)
        do {
            let changes = try candidate.changes(making: Edits(steps), schema: App.schema.model)
            return Dictionary(
                uniqueKeysWithValues: changes.map { ($0.name, $0.after.map { String(decoding: $0, as: UTF8.self) } ?? "(deleted)") })
        } catch {
            return Dictionary(error.diagnostics.map { ($0.code.rawValue, $0.message) }, uniquingKeysWith: { $0 + "; " + $1 })
        }
    }

    private let port = SettingKey(section: "server", name: "port")
    private let host = SettingKey(section: "server", name: "host")

    @Test func `A setting is edited in the highest of the environment's documents that sets it, and nowhere else`() {
        #expect(changes([.set(port, to: "3")]) == ["production.d/5-x.ini": "[server]\nport = 3\n"])
        #expect(
            changes([.set(host, to: "b")])
                == ["production.ini": "[profile]\nextends = staging\n\n# the port\n[server]\nport = 1 \r\nhost = b\n"])
    }

    @Test func `Several edits of several documents are one change, and one that changes nothing is left out`() {
        #expect(
            changes([.set(port, to: "3"), .remove(port), .set(port, to: "4"), .set(host, to: "b"), .remove(host)])
                == [
                    "production.d/5-x.ini": "[server]\n",
                    "production.ini": "[profile]\nextends = staging\n\n# the port\n[server]\nport = 4 \r\n",
                ])
        #expect(changes([.set(port, to: "2")]).isEmpty)
    }

    @Test func `What other environments read is changed only by name`() {
        #expect(changes([.remove(host)]) == ["not-own": "server.host is set in staging.ini, which other environments read too"])
        #expect(changes([.replace(document: "base.ini", with: Array("[server]\n".utf8))]) == ["base.ini": "[server]\n"])
        #expect(changes([.removeDocument("production.d/5-x.ini")]) == ["production.d/5-x.ini": "(deleted)"])
    }

    @Test func `A value is written so that it reads back as itself`() {
        let names = SettingKey(section: "server", name: "names")
        #expect(
            changes([.set(names, to: PlainValue.list([.string("a,b"), .string("${X}"), .string("c")]))])["production.ini"]?
                .contains("names = \"a,b\", \"$${X}\", c\n") == true)
    }

    @Test(arguments: [
        "../base.ini", "/etc/passwd", "production.d/../x.ini", "production.d/.x.ini", "production.d/x", "a/b/c.ini", "", ".ini", "Base.ini",
        "production.d/x\n.ini", "elsewhere.ini", "elsewhere.d/x.ini",
    ])
    func `No name leads out of the environment's documents`(name: String) {
        #expect(changes([.replace(document: name, with: [])]).keys.contains("document-name"))
        #expect(changes([.removeDocument(name)]).keys.contains("document-name"))
    }

    @Test func `An edit that a variable or a flag would hide is refused, not lost`() {
        #expect(changes([.set(port, to: "3")], variables: ["PLUE__SERVER__PORT": "9"]).keys.contains("overruled"))
        #expect(changes([.set(port, to: "3")], overrides: [Override(key: port, text: "9")]).keys.contains("overruled"))
    }

    @Test func `Every edit that cannot be made is named, and none is made`() {
        let problems = changes([.set(port, to: "\"open"), .removeDocument("base.d/x.ini"), .set(host, to: "b")])
        #expect(Set(problems.keys) == ["edit", "document-name"])
    }

    @Test func `Restoring makes the documents exactly those, others go`() {
        let kept = [StoredDocument(name: "production.ini", bytes: Array("[server]\nport = 7\n".utf8))]
        #expect(
            changes([.restore(kept)]) == [
                "base.ini": "(deleted)", "staging.ini": "(deleted)", "production.d/5-x.ini": "(deleted)",
                "production.ini": "[server]\nport = 7\n",
            ])
    }
}
