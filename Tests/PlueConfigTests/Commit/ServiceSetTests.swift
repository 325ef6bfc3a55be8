import PlueDocuments
import Testing

@testable import PlueConfig

@Suite("The set of services")
struct ServiceSetTests {
    let journal = Journal()

    private func registration(_ name: String, sections: [String]? = nil, after: [String] = []) -> ServiceRegistration<Numbers> {
        ServiceRegistration(ScriptedService(name, journal), named: name, sections: sections ?? [name], after: after) { $0[name] }
    }

    @Test("a name can be taken once")
    func duplicateName() throws {
        var set = ServiceSet<Numbers>()
        try set.add(registration("http"))
        #expect(throws: ServiceSetError.duplicateName("http")) { try set.add(registration("http")) }
    }

    @Test("a dependency must have been added, and a near miss is pointed out")
    func unknownDependency() throws {
        var set = ServiceSet<Numbers>()
        try set.add(registration("database"))
        #expect {
            try set.add(registration("http", after: ["databse"]))
        } throws: {
            "\($0)" == "service 'http' depends on 'databse', which has not been added (http → databse); did you mean 'database'?"
        }
        #expect {
            try set.add(registration("http", after: ["cache"]))
        } throws: {
            "\($0)" == "service 'http' depends on 'cache', which has not been added (http → cache); add 'cache' before 'http'"
        }
        #expect(set.names == ["database"])
    }

    @Test("a service cannot depend on itself")
    func selfDependency() throws {
        var set = ServiceSet<Numbers>()
        #expect {
            try set.add(registration("http", after: ["http"]))
        } throws: {
            "\($0)" == "service 'http' depends on itself: http → http"
        }
    }

    @Test("the first start concerns every service, dependencies first")
    func firstStart() throws {
        var set = ServiceSet<Numbers>()
        try set.add(registration("database"))
        try set.add(registration("sessions", after: ["database"]))
        try set.add(registration("cache"))
        try set.add(registration("http", after: ["sessions", "cache"]))
        let plan = set.plan(from: nil, to: Numbers(), changed: [])
        #expect(plan.map(\.name) == ["database", "cache", "sessions", "http"])
        #expect(plan.allSatisfy { $0.action == .swap })
    }

    @Test(
        "a service takes part when something it follows has changed",
        arguments: [
            ("server.port", ["server"], true),
            ("server.tls.key", ["server"], true),
            ("servers.port", ["server"], false),
            ("server.port", ["server.port"], true),
            ("server.host", ["server.port"], false),
            ("server.host", ["server.tls"], false),
            ("anything.at.all", [""], true),
            ("server.port", [], false),
            ("security.jwt_secret", ["server", "security"], true),
        ])
    func following(key: String, sections: [String], takesPart: Bool) throws {
        var set = ServiceSet<Numbers>()
        try set.add(registration("service", sections: sections))
        let plan = set.plan(from: Numbers(), to: Numbers(), changed: [try #require(SettingKey(key))])
        #expect(plan.isEmpty == !takesPart)
    }

    @Test("a service has its say in what a change means for it", arguments: [ServiceAction.live, .swap, .restart, .none])
    func action(_ action: ServiceAction) throws {
        let service = ScriptedService("http", journal)
        service.setAction(action)
        var set = ServiceSet<Numbers>()
        try set.add(ServiceRegistration(service, named: "http", sections: ["http"]) { $0["http"] })
        let plan = set.plan(from: Numbers(), to: Numbers(), changed: [SettingKey(section: "http", name: "port")])
        #expect(plan == (action == .none ? [] : [PlannedService(name: "http", action: action, verification: "its own check")]))
        #expect(plan.contains(where: \.takesPart) == [.live, .swap].contains(action))
    }

    @Test("a key path says by itself which section a service follows")
    func keyPath() throws {
        let registration = try ServiceRegistration(SettingsService<ServerSettings>(), for: \AppSettings.server)
        #expect(registration.name == "server")
        #expect(registration.sections == ["server"])
        let named = try ServiceRegistration(SettingsService<Int>(), named: "port", for: \AppSettings.server.port)
        #expect(named.sections == ["server.port"])
        #expect(throws: ServiceSetError.unknownSection(service: "length")) {
            try ServiceRegistration(SettingsService<Int>(), named: "length", for: \AppSettings.server.host.count)
        }
    }
}

/// Does nothing with settings of any type.
private struct SettingsService<Settings: Sendable>: LiveService {
    func prepare(_ settings: Settings, beside live: Int?) async throws -> Int { 0 }
    func activate(_ next: Int) async -> Int? { nil }
    func verify(_ live: Int) async throws {}
    func retire(_ instance: Int) async {}
}
