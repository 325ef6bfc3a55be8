import HTTPTypes
import Hummingbird
import NIOCore
import OrderedCollections
import PlueConfig
import PlueHTTP
import PlueLedger

/// What runs: settings, where they come from, and what there could be.
extension API {
    var configurationRoutes: [Route] {
        let origins = Operation.Parameter(name: "origins", form: .flag, summary: "Says of each value where it comes from.")
        let schema = StaticAnswer(manager.schema.jsonSchema(title: "Plue"), mediaType: "application/schema+json")
        return [
            Route(
                .get, "/v1/config", .viewer, scope: .kept,
                Operation(
                    id: "getConfiguration", summary: "The effective values; secrets as fingerprints.", query: [origins],
                    headers: [.ifNoneMatch], answer: .json("Configuration"))
            ) { request, context in try configuration(request, context) },
            Route(
                .get, "/v1/config/**", .viewer, scope: .kept,
                Operation(
                    id: "getSetting", summary: "A section, or one setting with its origin.",
                    paths: ["/v1/config/{section}", "/v1/config/{section}/{key}"], headers: [.ifNoneMatch],
                    answer: .json("SettingOrSection"), refusals: [404])
            ) { request, context in try setting(at: path(context), request, context) },
            Route(
                .get, "/v1/explain/**", .viewer, scope: .kept,
                Operation(
                    id: "explainSetting", summary: "Every layer's value of a setting, which wins, and since which version.",
                    paths: ["/v1/explain/{section}/{key}"], answer: .json("Explanation"), refusals: [404, 503])
            ) { _, context in try await explanation(of: path(context), context.requester) },
            Route(
                .post, "/v1/reveal/**", .operator, scope: .kept,
                Operation(
                    id: "revealSecret", summary: "A secret in plain text, once it is on record who saw it.",
                    paths: ["/v1/reveal/{section}/{key}"], query: [.reason], answer: .json("Revealed"), refusals: [404, 503])
            ) { request, context in try await reveal(path(context), request, context) },
            Route(
                .get, "/v1/schema", .viewer, scope: .kept,
                Operation(
                    id: "getSchema", summary: "Every setting there can be, as JSON Schema 2020-12.", headers: [.ifNoneMatch],
                    answer: .init(mediaType: "application/schema+json", schema: "Object"))
            ) { request, _ in schema.response(to: request) },
        ]
    }

    private func configuration(_ request: Request, _ context: APIContext) throws(Problem) -> Response {
        let snapshot = manager.snapshot
        if let unchanged = notModified(request, snapshot.version) { return repeating(unchanged, ByteBuffer(), of: snapshot, context) }
        let showsOrigins = request.flag("origins")
        let scope = context.requester.scope
        guard scope.isEverything else {
            let settings = snapshot.settings.filter { scope.covers($0.key) }
            return json(
                showsOrigins
                    ? ConfigurationJSON.origins(settings, version: snapshot.version, fingerprints)
                    : ConfigurationJSON.values(settings, version: snapshot.version, fingerprints), version: snapshot.version)
        }
        let body = try answers.answer(showsOrigins ? "?origins" : "", of: snapshot) {
            showsOrigins
                ? ConfigurationJSON.origins(snapshot.settings, version: snapshot.version, fingerprints)
                : ConfigurationJSON.values(snapshot.settings, version: snapshot.version, fingerprints)
        }
        return repeating(json(body, version: snapshot.version), body, of: snapshot, context)
    }

    /// An answer that holds as long as the snapshot runs and the requester may ask.
    private func repeating(
        _ response: Response, _ body: ByteBuffer, of snapshot: Snapshot<DaemonSettings>, _ context: APIContext
    ) -> Response {
        context.repeatable.repeats(body) { [manager, grant = context.requester.grant] in manager.snapshot === snapshot && grant.isGood }
        return response
    }

    private func setting(at path: [String], _ request: Request, _ context: APIContext) throws(Problem) -> Response {
        try admit(path, context.requester)
        let snapshot = manager.snapshot
        let body = try answers.answer(path.joined(separator: "/"), of: snapshot) { () throws(Problem) in
            if let setting = snapshot.settings.setting(at: path) {
                return ConfigurationJSON.setting(setting, version: snapshot.version, fingerprints)
            }
            let section = path.joined(separator: ".")
            let settings = snapshot.settings.settings(in: section)
            guard !settings.isEmpty else {
                throw Problem(.notFound, "there is no setting or section '\(VisibleText.of(path.joined(separator: "/")))'")
            }
            return ConfigurationJSON.section(settings, named: section, version: snapshot.version, fingerprints)
        }
        if let unchanged = notModified(request, snapshot.version) { return repeating(unchanged, ByteBuffer(), of: snapshot, context) }
        return repeating(json(body, version: snapshot.version), body, of: snapshot, context)
    }

    private func explanation(of path: [String], _ requester: Requester) async throws -> Response {
        try admit(path, requester)
        let snapshot = manager.snapshot
        guard let setting = snapshot.settings.setting(at: path) else { throw noSetting(path) }
        var explanation = Explanation(setting, fingerprints)
        do {
            try await explanation.trace(in: history, of: deployment.environment, below: deployment.directory)
        } catch {
            throw Problem(.serviceUnavailable, "the history cannot be read")
        }
        explanation.running = ConfigurationJSON.setting(setting, version: snapshot.version, fingerprints)
        var json = explanation.json
        json["drift"] = .boolean(await manager.status.drift)
        return self.json(json, version: snapshot.version)
    }

    private func reveal(_ path: [String], _ request: Request, _ context: APIContext) async throws -> Response {
        try admit(path, context.requester)
        let cause = cause(request, context)
        guard let setting = manager.snapshot.settings.setting(at: path) else { throw noSetting(path) }
        do {
            try await ledger.noteReveal(of: setting.key, by: cause)
        } catch {
            throw Problem(.serviceUnavailable, "nothing is revealed that cannot be recorded: \(error)")
        }
        var response = json(RevealAnswer.json(setting))
        response.headers[.cacheControl] = "no-store"
        return response
    }

    /// What is outside is refused whether it is there or not.
    private func admit(_ path: [String], _ requester: Requester) throws(Problem) {
        let key = SettingKey(path.joined(separator: "."))
        guard requester.scope.covers(section: path.joined(separator: ".")) || key.map(requester.scope.covers) == true else {
            throw requester.scope.outside(path.joined(separator: "/"), requester)
        }
    }

    private func noSetting(_ path: [String]) -> Problem {
        Problem(.notFound, "there is no setting '\(VisibleText.of(path.joined(separator: "/")))'")
    }
}
