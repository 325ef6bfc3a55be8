import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import OrderedCollections
import PlueConfig
import PlueLedger

/// What changes the configuration, and what says beforehand how that would end.
extension API {
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
}

extension JSONValue {
    /// A whole number, as JSON has it: 41.0 is one.
    fileprivate var wholeNumber: Int? {
        if case .number(let number) = self { Int(exactly: number) } else { integer }
    }
}
