import HTTPTypes
import Hummingbird
import PlueConfig
import PlueLedger

/// What ran before, and what was refused.
extension API {
    var historyRoutes: [Route] {
        [
            Route(
                .get, "/v1/versions", .viewer,
                Operation(
                    id: "listVersions", summary: "The versions, newest first.",
                    query: [
                        .init(
                            name: "before", form: .integer(1...Int(Int32.max)), summary: "Only entries with an id below this one: `next`."),
                        .init(name: "limit", form: .integer(1...1000), summary: "At most so many; 50 unless given."),
                        .init(name: "rejected", form: .flag, summary: "Lists what was refused between them, too."),
                    ],
                    answer: .json("Versions"), refusals: [503])
            ) { request, _ in
                let page = try await read {
                    try await $0.history(
                        HistoryQuery(
                            before: request.integer("before"), limit: request.integer("limit") ?? 50,
                            includesRejected: request.flag("rejected")))
                }
                return json(HistoryJSON.page(page))
            },
            Route(
                .get, "/v1/versions/:version", .viewer,
                Operation(
                    id: "getVersion", summary: "One version, and its documents' names.", answer: .json("Version"), refusals: [404, 503])
            ) { _, context in
                let number = try version(context, "version")
                let (entry, documents) = try await read {
                    (try await $0.history(HistoryQuery(version: number)).entries.first, try await $0.documents(of: number))
                }
                guard let entry, let documents else { throw noVersion(number) }
                var answer = HistoryJSON.entry(entry)
                answer["documents"] = .array(documents.map(listed))
                return json(answer)
            },
            Route(
                .get, "/v1/versions/:version/diff/:other", .viewer,
                Operation(
                    id: "compareVersions", summary: "What differs between two versions, setting by setting; secrets as fingerprints.",
                    answer: .json("Comparison"), refusals: [404, 422, 503])
            ) { _, context in
                let (old, new) = (try version(context, "version"), try version(context, "other"))
                do {
                    return json(try await Comparison.between(version: old, new, deployment).json)
                } catch let error as NoSuchVersion {
                    throw noVersion(error.number)
                } catch let rejection as Rejection {
                    throw Problem(rejection)
                } catch {
                    throw Problem(.serviceUnavailable, "the history cannot be read")
                }
            },
        ]
    }

    private func version(_ context: APIContext, _ name: String) throws(Problem) -> Int {
        guard let number = context.parameters.get(name).flatMap({ Int($0) }), number > 0 else {
            throw Problem(.notFound, "a version is a number from 1 on")
        }
        return number
    }

    private func noVersion(_ number: Int) -> Problem { Problem(ConfigurationError.change(.noSuchVersion(number))) }

    private func read<Value>(_ body: (LedgerReader) async throws -> Value) async throws -> Value {
        do {
            return try await body(history)
        } catch {
            throw Problem(.serviceUnavailable, "the history cannot be read")
        }
    }
}
