import Foundation
import OrderedCollections
import PlueConfig
import PlueDaemon
import PlueTesting
import SystemPackage
import Testing

/// The daemon's own schema, and the configuration that newcomers start from.
@Suite struct DaemonSettingsTests {
    private static let variables = [
        "PLUE_SECRET_KEY": "example-secret-key", "PLUE_DB_PASSWORD": "example-password", "PLUE_JWT_SECRET": "example-jwt",
    ]

    @Test func `The daemon's schema does not contradict itself`() throws {
        try expectConsistent(DaemonSettings.self)
    }

    @Test func `The daemon's schema survives the way out as JSON Schema and back`() throws {
        let json = DaemonSettings.schema.model.jsonSchema(title: "Plue").text()
        let imported = try SectionModel(jsonSchema: Array(json.utf8), name: "plue.json")
        #expect(Set(imported.settingNames) == Set(DaemonSettings.schema.model.settingNames))
    }

    @Test(arguments: ["development", "staging", "production"])
    func `The example configuration is valid without a warning in every environment`(_ name: String) async throws {
        let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Examples/config").standardized.path
        let environment = try #require(EnvironmentName(name))
        let candidate = await DirectorySource(FilePath(directory), variables: Self.variables).read(environment)
        let planned = try Planned<DaemonSettings>.plan(candidate).get()
        #expect(planned.plan.warnings.isEmpty)
        #expect(planned.snapshot.value.server.debug == (name == "development"))
    }

    @Test func `Every setting of the daemon has a description`() {
        func undescribed(_ section: SectionModel, _ name: String) -> [String] {
            section.settings.values.filter { $0.summary.isEmpty }.map { "\(name).\($0.name)" }
                + section.sections.flatMap { undescribed($1, name.isEmpty ? $0 : "\(name).\($0)") }
        }
        #expect(undescribed(DaemonSettings.schema.model, "").isEmpty)
    }
}
