import Foundation
import HTTPTypes
import Logging
import OrderedCollections
import PlueConfig
import PlueLedger
import PluePostgres
import PlueSSH
import SystemPackage
import Testing

@testable import PlueDaemon

/// The routes and their description.
@Suite struct OpenAPITests {
    private func withAPI(_ body: (API) async throws -> Void) async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "plue-api-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: root + "/config", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: root) }
        try Data("[server]\nport = 0\n".utf8).write(to: URL(filePath: root + "/config/development.ini"))
        let deployment = Deployment(
            directory: FilePath(root + "/config"), environment: .development, stateDirectory: FilePath(root + "/state"), variables: [:])
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let ledger = try Ledger(directory: deployment.stateDirectory, logger: logger)
        var options = try deployment.options(recorder: ledger, logger: logger)
        options.followsHangup = false
        let manager = try await ConfigManager(
            DaemonSettings.self, source: deployment.source, environment: deployment.environment, options: options)
        let pool = PostgresPool(logger: logger)
        let status = DaemonStatus(
            manager: manager, deployment: deployment, pool: pool, ssh: SSHServer(logger: logger) { _ in 0 },
            export: AuditExport(of: ledger, through: pool, manager, logger: logger), followed: [])
        let doorkeeper = try await Doorkeeper(ledger: ledger, logger: logger)
        let api = API(
            manager, of: deployment, ledger: ledger, status: status, doorkeeper: doorkeeper,
            approvals: Approvals(manager, of: deployment, ledger: ledger, tokens: doorkeeper.tokens),
            events: EventHub(manager, status: status, history: ledger.reader), metrics: MetricsRegistry())
        do {
            try await body(api)
            try await ledger.close()
        } catch {
            try? await ledger.close()
            throw error
        }
    }

    @Test func `Every route is described once, and every reference in the description leads somewhere`() async throws {
        try await withAPI { api in
            let document = OpenAPI.document(of: api.routes, sections: api.manager.schema.sectionNames)
            var described = 0
            var names: Set<String> = []
            for (path, item) in document["paths"]?.members ?? [:] {
                for (method, operation) in item.members {
                    described += 1
                    let name = try #require(operation["operationId"]?.string)
                    #expect(names.insert(name).inserted, "\(name) stands twice")
                    #expect(operation["summary"]?.string?.hasSuffix(".") == true, "\(method) \(path)")
                    let parameters = Set((operation["parameters"]?.elements ?? []).compactMap { $0["name"]?.string })
                    for part in path.split(separator: "/") where part.hasPrefix("{") {
                        #expect(parameters.contains(String(part.dropFirst().dropLast())), "\(path)")
                    }
                }
            }
            #expect(described == api.routes.reduce(0) { $0 + ($1.operation.paths?.count ?? 1) })
            #expect(Set(api.routes.map { "\($0.method.rawValue) \($0.path)" }).count == api.routes.count)

            let schemas = try #require(document["components"]?["schemas"]?.members)
            let text = document.text()
            for reference in text.matches(of: /#\/components\/schemas\/([A-Za-z0-9]+)/) {
                #expect(schemas[String(reference.1)] != nil, "\(reference.1)")
            }
            for name in schemas.keys { #expect(text.contains("#/components/schemas/\(name)\""), "\(name) is used nowhere") }
        }
    }

    @Test func `Every call of the contract is there`() async throws {
        try await withAPI { api in
            let routes = Set(api.routes.map { "\($0.method.rawValue) \($0.path)" })
            for call in [
                "GET /v1/status", "GET /v1/config", "GET /v1/config/**", "PATCH /v1/config", "GET /v1/documents", "GET /v1/documents/**",
                "PUT /v1/documents/**", "DELETE /v1/documents/**", "POST /v1/check", "POST /v1/plan", "POST /v1/reload", "POST /v1/confirm",
                "POST /v1/rollback", "GET /v1/versions", "GET /v1/versions/:version", "GET /v1/versions/:version/diff/:other",
                "GET /v1/explain/**", "GET /v1/audit", "GET /v1/audit/verify", "GET /v1/schema", "GET /v1/services", "GET /v1/events",
                "GET /openapi.json", "GET /healthz", "GET /readyz", "GET /metrics",
            ] { #expect(routes.contains(call), "\(call)") }
            // A change says under which conditions it is made, and everything but the probes and the sign-in takes a role.
            for route in api.routes where route.method != .get && route.operation.query.contains(.dryRun) {
                #expect(route.operation.headers.contains(.ifMatch) && route.operation.headers.contains(.idempotencyKey), "\(route.path)")
            }
            // The console's own files are the same for everybody.
            let open = api.routes.filter { $0.access == .anyone && !$0.path.hasPrefix("/assets/") }.map {
                "\($0.method.rawValue) \($0.path)"
            }
            #expect(Set(open).isSubset(of: ["GET /healthz", "GET /readyz", "POST /v1/session", "GET /"]), "\(open)")
        }
    }
}
