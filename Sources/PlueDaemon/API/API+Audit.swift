import Foundation
import HTTPTypes
import Hummingbird
import PlueAudit
import PlueConfig
import SystemPackage

/// Who did what, when and why; and whether that is what was written.
extension API {
    var auditRoutes: [Route] {
        [
            Route(
                .get, "/v1/audit", .viewer,
                Operation(
                    id: "listAudit", summary: "Entries of the audit log, oldest first: the newest ones, or those after a number.",
                    query: [
                        .init(name: "after", form: .integer(0...Int(Int32.max)), summary: "Only entries after this number: `next`."),
                        .init(name: "limit", form: .integer(1...1000), summary: "At most so many; 100 unless given."),
                        .init(name: "key", form: .text(most: 256), summary: "Only what changed this setting, or one in this section."),
                        .init(name: "actor", form: .text(most: 256), summary: "Only what this actor did, as in unix:0."),
                    ],
                    answer: .json("AuditEntries"), refusals: [503])
            ) { request, _ in try await auditEntries(request) },
            Route(
                .get, "/v1/audit/verify", .operator,
                Operation(
                    id: "verifyAudit", summary: "Whether the log and the history are what was written.", answer: .json("AuditReport"),
                    refusals: [429])
            ) { _, _ in
                guard let report = await verification.look(at: deployment.stateDirectory) else {
                    var problem = Problem(.tooManyRequests, "the log is being verified already; ask again in a moment")
                    problem.headers[.retryAfter] = "2"
                    throw problem
                }
                return json([
                    "verdict": .string("\(report.verdict)"), "finding": .string(report.finding), "entries": .integer(report.entries),
                    "unsigned": .integer(report.unsigned),
                    "checkpoint": report.newest.map { ["size": .integer($0.size)] } ?? .null,
                ])
            },
        ]
    }

    private func auditEntries(_ request: Request) async throws -> Response {
        let database = deployment.stateDirectory.appending("plue.db").string
        let (after, limit) = (request.integer("after"), request.integer("limit") ?? 100)
        let filter = AuditFilter(earliest: "", key: request.parameter("key"), actor: request.parameter("actor"))
        do {
            let page = try await offPool { Result { try AuditPage(database, after: after, limit: limit, filter) } }.get()
            return json(["entries": .array(page.entries.map(\.json)), "next": page.next.map(JSONValue.integer) ?? .null])
        } catch {
            throw Problem(.serviceUnavailable, "the audit log cannot be read")
        }
    }
}

/// Some entries of the audit log.
struct AuditPage: Sendable {
    private(set) var entries: [AuditRecord] = []
    /// After which number it goes on; `nil` at the end.
    private(set) var next: Int?

    /// How many entries one call looks at: a filter that takes few of them must not keep a thread for long.
    private static let mostLookedAt = 50_000

    /// Blocks.
    /// - Parameter after: `nil` for the newest entries.
    /// - Throws: A sentence when the database cannot be read.
    init(_ database: String, after: Int?, limit: Int, _ filter: AuditFilter) throws {
        var filter = filter
        let newest = try AuditReader.newest(database: database)
        let first = after.map { $0 + 1 } ?? max(1, newest - Self.mostLookedAt + 1)
        try AuditReader.read(database: database, from: first) { record in
            if filter.takes(record) { entries.append(record) }
            guard after != nil else {
                if entries.count > limit { entries.removeFirst() }
                return true
            }
            let isEnough = entries.count == limit || record.number - first >= Self.mostLookedAt
            if isEnough, record.number < newest { next = record.number }
            return !isEnough
        }
    }
}
