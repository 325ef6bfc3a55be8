import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import OrderedCollections
import PlueConfig
import PlueLedger

/// What changes the configuration, and what says beforehand how that would end.
extension API {
    /// A change's body is a configuration at most.
    static let largestBody = 16 * 1_048_576

    var changeRoutes: [Route] {
        let refusals = [404, 409, 412, 413, 415, 422, 428, 500, 503]
        let replays: [Operation.Header] = [.ifMatch, .idempotencyKey]
        return [
            Route(
                .patch, "/v1/config", .operator, scope: .kept,
                Operation(
                    id: "changeConfiguration", summary: "Changes settings in the documents that own them, as one transaction.",
                    query: Operation.Parameter.ofChanges, headers: replays, body: .change, answer: .json("Changed"), refusals: refusals)
            ) { request, context in try await apply(request, context) },
            Route(
                .post, "/v1/plan", .viewer, scope: .kept,
                Operation(
                    id: "plan", summary: "What a change, or the files as they are, would do.", query: [.reason], body: .candidate,
                    answer: .json("Plan"), refusals: [409, 413, 415, 422])
            ) { request, context in try await plan(request, context.requester) },
            Route(
                .post, "/v1/check", .viewer,
                Operation(
                    id: "check", summary: "What is wrong with a candidate, or with the files as they are.", body: .candidate,
                    answer: .json("Report"), refusals: [409, 413, 415])
            ) { request, _ in try await check(request) },
            Route(
                .post, "/v1/reload", .operator,
                Operation(
                    id: "reload", summary: "Reads the files again and makes what they say run.",
                    query: [
                        .reason,
                        .init(name: "force", form: .flag, summary: "Takes files that are empty or drop most settings at their word."),
                    ],
                    headers: [.ifMatchWhenGiven, .idempotencyKey], answer: .json("Changed"), refusals: [409, 412, 422, 500, 503])
            ) { request, context in
                try await once(request, context) { _ in
                    try checkVersion(request)
                    let cause = cause(request, context)
                    return try await answer { try await manager.reload(cause, isForced: request.flag("force")) }
                }
            },
            Route(
                .post, "/v1/confirm", .operator,
                Operation(
                    id: "confirm", summary: "Lets the version that waits to be confirmed stay.", query: [.reason],
                    headers: [.ifMatchWhenGiven, .idempotencyKey], answer: .json("Confirmed"), refusals: [409, 412, 503])
            ) { request, context in
                try await once(request, context) { _ in
                    try checkVersion(request)
                    return try await confirm(cause(request, context))
                }
            },
            Route(
                .post, "/v1/rollback", .operator,
                Operation(
                    id: "rollBack", summary: "Makes a former version's documents run again, as a new version.",
                    query: Operation.Parameter.ofChanges, headers: replays, body: .json("Rollback"), answer: .json("Changed"),
                    refusals: refusals)
            ) { request, context in try await rollback(request, context) },
        ]
    }

    // MARK: - The calls

    /// `PATCH /v1/config`: one transaction.
    private func apply(_ request: Request, _ context: APIContext) async throws -> Response {
        try await once(request, context) { bytes in
            let body = try ChangeBody(bytes, try request.mediaType(), from: ChangeBody.ofChanges)
            return try await change(request, context) { try await edits(of: body, for: context.requester) }
        }
    }

    /// Makes a change under the conditions that the request names, or says what it would do.
    /// - Parameter edits: The edits, with the version they were made for where that counts.
    func change(
        _ request: Request, _ context: APIContext, _ edits: @Sendable () async throws -> (edits: Edits, version: Int?)
    ) async throws -> Response {
        let isDryRun = request.flag("dryRun")
        let required = try requiredVersion(request, isNeeded: !isDryRun)
        let time = try confirmationTime(request)
        if isDryRun {
            try checkVersion(request)
            return try await planAnswer(try await edits().edits, for: context.requester)
        }
        // What was worked out beside a version holds for that version; should another come in between, it is worked out again.
        var attempts = 3
        while true {
            attempts -= 1
            let (edits, version) = try await edits()
            try context.requester.scope.admit(edits, for: context.requester)
            let change = ChangeRequest(
                edits, cause: cause(request, context), ifVersion: required ?? version, confirmWithin: time,
                replacesPending: request.flag("replacePending"))
            do {
                let wish = ChangeWish(.edits(edits), confirmWithin: time)
                return try await self.change(wish, change.cause, by: context.requester, mayWait: !change.replacesPending) {
                    (review) async throws(ConfigurationError) in
                    var change = change
                    change.review = review
                    return try await manager.apply(change)
                }
            } catch let problem as Problem where problem.status == .preconditionFailed && required == nil && attempts > 0 {
                continue
            }
        }
    }

    /// `POST /v1/plan`: what the same body would do.
    private func plan(_ request: Request, _ requester: Requester) async throws -> Response {
        let body = try ChangeBody(
            try await bytes(of: request), try request.mediaType(), from: ChangeBody.ofCandidates, mayBeEmpty: true)
        return try await planAnswer(try await edits(of: body, for: requester).edits, for: requester)
    }

    private func planAnswer(_ edits: Edits, for requester: Requester) async throws -> Response {
        try requester.scope.admit(edits, for: requester)
        switch await manager.plan(edits) {
        case .success(let change):
            if let key = change.planned.plan.changes.first(where: { !requester.scope.covers($0.key) })?.key {
                throw requester.scope.outside("[\(key.section)], which this would change as well,", requester)
            }
            return json(status.answer(to: change, fingerprints), version: change.version)
        case .failure(let rejection): throw Problem(rejection)
        }
    }

    /// `POST /v1/check`: always 200 for what could be looked at.
    private func check(_ request: Request) async throws -> Response {
        let body = try ChangeBody(
            try await bytes(of: request), try request.mediaType(), from: ChangeBody.ofCandidates, mayBeEmpty: true)
        let diagnostics: [Diagnostic]
        switch await manager.plan(try await edits(of: body).edits) {
        // Whether it could be applied now is no question of its validity.
        case .success(let change): diagnostics = change.planned.plan.warnings.filter { $0.code != "refused-now" }
        case .failure(let rejection): diagnostics = rejection.diagnostics
        }
        // Framed, so that an editor can show what a terminal does.
        var report = DiagnosticJSON.report(diagnostics)
        report["diagnostics"] = .array(diagnostics.map(DiagnosticJSON.framed))
        report["version"] = .integer(manager.snapshot.version)
        return json(report)
    }

    private func confirm(_ cause: Cause) async throws -> Response {
        do {
            let version = try await manager.confirm(cause)
            return json(["version": .integer(version)], version: version)
        } catch {
            throw Problem(error)
        }
    }

    /// `POST /v1/rollback {"version":41}`
    private func rollback(_ request: Request, _ context: APIContext) async throws -> Response {
        try await once(request, context) { bytes in
            let isDryRun = request.flag("dryRun")
            let required = try requiredVersion(request, isNeeded: !isDryRun)
            let time = try confirmationTime(request)
            let body = try json(bytes, of: request)
            guard let number = body["version"]?.wholeNumber, number > 0, body.members.count == 1 else {
                throw Problem(.badRequest, "the body names the version: {\"version\":41}")
            }
            if isDryRun {
                try checkVersion(request)
                return try await planAnswer(Edits([.restore(try await documents(ofVersion: number))]), for: context.requester)
            }
            let cause = cause(request, context)
            let replacesPending = request.flag("replacePending")
            let wish = ChangeWish(.rollback(to: number), confirmWithin: time)
            return try await change(wish, cause, by: context.requester, mayWait: !replacesPending) {
                (review) async throws(ConfigurationError) in
                try await manager.rollback(
                    to: number, cause: cause, ifVersion: required, confirmWithin: time, replacesPending: replacesPending, review: review)
            }
        }
    }

    private func documents(ofVersion number: Int) async throws -> [StoredDocument] {
        do {
            let version = try await history.history(HistoryQuery(version: number)).entries.first?.version
            guard let version, let documents = try await history.documents(of: number) else {
                throw Problem(ConfigurationError.change(.noSuchVersion(number)))
            }
            guard version.environment == manager.environment else {
                throw Problem(ConfigurationError.change(.otherEnvironment(version: number, version.environment)))
            }
            return documents
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem(.serviceUnavailable, "the history cannot be read")
        }
    }

    // MARK: - The answer

    func answer(_ change: () async throws -> ReloadOutcome) async throws -> Response {
        do {
            let outcome = try await change()
            let answer = try ChangeAnswer.json(outcome, confirmation: await manager.status.confirmation)
            return json(answer, version: answer["version"]?.integer)
        } catch let error as ConfigurationError {
            throw Problem(error)
        } catch let error as RejectedChange {
            throw Problem(error.attempt)
        }
    }

    // MARK: - The question

    /// Reads the body and does the work; once only for an `Idempotency-Key`, however often it is asked for.
    func once(
        _ request: Request, _ context: APIContext, _ work: @escaping @Sendable (ByteBuffer) async throws -> Response
    ) async throws -> Response {
        let bytes = try await bytes(of: request)
        guard let text = request.headers[named: "Idempotency-Key"] else { return try await work(bytes) }
        guard let key = IdempotentAnswers.Key(text, of: context.requester.actor, request: request, body: bytes) else {
            throw Problem(.badRequest, "an Idempotency-Key is 1 to 255 visible ASCII characters")
        }
        return try await idempotent.answer(key) { try await work(bytes) }
    }

    /// Who asks, and why.
    func cause(_ request: Request, _ context: APIContext) -> Cause {
        Cause(.api, actor: context.requester.actor, reason: request.parameter("reason") ?? "")
    }

    /// The version that `If-Match` names; `nil` for any.
    /// - Throws: 428 without one where it is needed; 400 for what is no version's tag.
    func requiredVersion(_ request: Request, isNeeded: Bool = true) throws(Problem) -> Int? {
        guard let tag = request.headers[.ifMatch] else {
            guard isNeeded else { return nil }
            throw Problem(.preconditionRequired, "a change names the version it was made for: If-Match: \"v42\", or * for any")
        }
        if tag == "*" { return nil }
        guard tag.hasPrefix("\"v"), tag.hasSuffix("\""), let version = Int(tag.dropFirst(2).dropLast()), version > 0,
            Self.tag(version) == tag, request.headers[values: .ifMatch].count == 1
        else {
            throw Problem(.badRequest, "If-Match is a version's tag, \"v42\", or *")
        }
        return version
    }

    /// - Throws: 412 when another version runs than the one that `If-Match` names.
    private func checkVersion(_ request: Request) throws(Problem) {
        let running = manager.snapshot.version
        guard let expected = try requiredVersion(request, isNeeded: false), expected != running else { return }
        throw Problem(ConfigurationError.change(.stale(expected: expected, running: running)))
    }

    private func confirmationTime(_ request: Request) throws(Problem) -> Duration? {
        guard let text = request.parameter("confirmWithin") else { return nil }
        guard let time = try? Duration(setting: .scalar(text)), ChangeRequest.confirmationTimes.contains(time) else {
            throw Problem(ConfigurationError.change(.confirmationTime))
        }
        return time
    }

    /// A body that has to be `application/json`.
    func jsonBody(_ request: Request) async throws -> JSONValue { try json(try await bytes(of: request), of: request) }

    private func json(_ bytes: ByteBuffer, of request: Request) throws(Problem) -> JSONValue {
        guard try request.mediaType() == "application/json" else {
            throw Problem(.unsupportedMediaType, "the body is application/json")
        }
        return try ChangeBody.json(bytes)
    }

    /// The body, at most as large as a configuration may be.
    func bytes(of request: Request) async throws -> ByteBuffer {
        if let coding = request.headers[.contentEncoding], coding.lowercased() != "identity" {
            throw Problem(.unsupportedMediaType, "bodies are taken as they are, without a Content-Encoding")
        }
        do {
            return try await request.body.collect(upTo: Self.largestBody)
        } catch is NIOTooManyBytesError {
            throw Problem(.contentTooLarge, "the body is larger than 16 MiB")
        }
    }

    // MARK: - Edits

    /// What a body asks for, as edits; a patch is worked out beside the version that runs.
    /// - Parameter requester: Whoever may see and change a part only: a patch is worked out in that part.
    private func edits(of body: ChangeBody, for requester: Requester? = nil) async throws -> (edits: Edits, version: Int?) {
        switch body {
        case .none: return (Edits(), nil)
        case .edits(let edits): return (edits, nil)
        case .merge(let patch):
            if let requester { try requester.scope.admit(patch, for: requester) }
            return try await patched { (settings, _) throws(SettingsPatch.Outdated) in try settings.merge(patch) }
        case .patch(let patch):
            return try await patched(within: requester?.scope ?? .everything) { settings, values in
                let after: JSONValue
                do throws(JSONPatch.Misfit) { after = try patch.applied(to: values) } catch {
                    throw Problem(.conflict, error.description)
                }
                guard case .object = after else { throw Problem(.badRequest, "the configuration is an object, whatever is done to it") }
                if let requester { try requester.scope.admit(after, for: requester) }
                try settings.follow(from: values, to: after)
            }
        }
    }

    private func patched(
        within scope: SectionScope = .everything, _ patch: (inout SettingsPatch, _ values: JSONValue) throws -> Void
    ) async throws -> (edits: Edits, version: Int?) {
        let documents = await manager.readCandidate().documents
        let snapshot = manager.snapshot
        let values =
            ConfigurationJSON.values(snapshot.settings.filter { scope.covers($0.key) }, version: snapshot.version, fingerprints)["values"]
            ?? [:]
        var settings = SettingsPatch(of: snapshot.settings, schema: manager.schema, fingerprints) {
            (secret, key) throws(SettingsPatch.SealingFailure) in try deployment.sealed(secret, for: key, in: documents)
        }
        do {
            try patch(&settings, values)
        } catch let outdated as SettingsPatch.Outdated {
            throw Problem(.conflict, "\(outdated.key) is another secret by now than the one that was sent back")
        }
        return (settings.edits, snapshot.version)
    }
}

extension JSONValue {
    /// A whole number, as JSON has it: 41.0 is one.
    fileprivate var wholeNumber: Int? {
        if case .number(let number) = self { Int(exactly: number) } else { integer }
    }
}

extension Deployment {
    /// Encrypts a secret for the document of this environment that holds the setting, or will.
    fileprivate func sealed(
        _ secret: Secret<String>, for key: SettingKey, in documents: [SourceText]
    ) throws(SettingsPatch.SealingFailure) -> String {
        let own = documents.filter { $0.role == .profile(environment) || $0.role == .dropIn(environment) }
        let owner = own.last { $0.holds(key) } ?? own.first { $0.role == .profile(environment) }
        let name = "\(environment).ini"
        do {
            return try encrypted(
                secret, for: key, in: owner ?? SourceText(name: name, displayName: name, role: .profile(environment), bytes: []))
        } catch {
            throw SettingsPatch.SealingFailure(problem: "\(error)")
        }
    }
}
