import Testing

@testable import PlueConfig

@Suite("Plan")
struct PlanTests {
    private func road(_ text: String) -> Road<AppSettings> { Road(AppSettings.self, ["base.ini": text]) }
    private let base = "[security]\nsecret_key = abcd\n[server]\nport = 80\n"

    @Test("lists the settings whose value differs, old and new, with both places")
    func changes() throws {
        let first = try road(base).plan()
        let plan = try road(base + "host = h\n").plan(beside: first).plan
        #expect(
            plan.changes.map {
                "\($0.key) \($0.old.value?.description ?? "") \($0.new.value?.description ?? "") \($0.oldOrigin) \($0.newOrigin)"
            } == ["server.host 127.0.0.1 h default base.ini:5:8"])
    }

    @Test("another spelling of the same value is no change")
    func spelling() throws {
        let first = try road(base + "request_timeout = 60s\n").plan()
        #expect(try road("# moved\n" + base + "request_timeout = 1m\n").plan(beside: first).plan.isEmpty)
    }

    @Test("a changed secret is a change, and shows fingerprints only")
    func secrets() throws {
        let first = try road(base).plan()
        let plan = try road(base.replacing("abcd", with: "efgh")).plan(beside: first).plan
        #expect(plan.changes.map(\.key.description) == ["security.secret_key"])
        let fingerprints = Fingerprints.ephemeral()
        let shown = plan.changes.map { "\(fingerprints.shown($0.old)) \(fingerprints.shown($0.new))" }
        #expect(shown.first?.contains("abcd") == false)
        #expect(!"\(plan)".contains("efgh"))
        var dumped = ""
        dump(plan, to: &dumped)
        #expect(!dumped.contains("efgh"))
    }
}
