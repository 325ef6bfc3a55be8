import Foundation
import Logging

/// Making changes: edits of the documents, rollbacks, and the confirmation that a change may wait for.
extension Reloader {
    /// Edits the documents, takes them down the road, and writes them as part of the transaction.
    func apply(_ request: ChangeRequest) async throws(ChangeRefusal) -> ReloadOutcome {
        let outcome = try await pipeline.stages.road("change", request.cause, in: environment) {
            do throws(ChangeRefusal) { return .success(try await editAndCommit(request)) } catch { return .failure(error) }
        }.get()
        observers.tell(.ended(outcome))
        return outcome
    }

    private func editAndCommit(_ request: ChangeRequest) async throws(ChangeRefusal) -> ReloadOutcome {
        let (started, at) = (ContinuousClock.now, Date())
        try admit(request)
        let change: EditedCandidate
        let editing = pipeline.stages.begin(.edit)
        do {
            let edits = try await edits(of: request)
            change = try await source.edited(environment, by: edits, schema: pipeline.model, files: pipeline.files)
                .keepingUnrecorded(beside: running.candidate.storedDocuments)
            editing.end()
        } catch {
            editing.end(isRefused: true)
            return await reject(running.candidate, request.cause, at, started, error, isOfFiles: false)
        }
        if !request.takesFilesAsTheyAre { try refuseDrift(change.original, request.edits) }
        if change.candidate.isSame(as: running.candidate), change.writes.isEmpty { return .unchanged(version: current.latest.version) }
        var planned: Planned<Root>
        do {
            planned = try pipeline.plan(change.candidate, beside: current.latest)
            planned.plan.warnings += change.copyWarnings
        } catch {
            return await reject(change.candidate, request.cause, at, started, error, isOfFiles: false)
        }
        try request.review?(ProposedChange(planned, writing: change.writes, cause: request.cause, beside: current.latest.version))
        let deadline = request.confirmWithin.map { at.addingTimeInterval($0 / .seconds(1)) }
        let outcome = await commit(
            planned, request.cause, at, started, writing: change.writes,
            confirmation: deadline.map { ($0, confirmation?.fallback ?? current.latest.version) })
        if case .rejected(let attempt) = outcome, attempt.phase == .commit, attempt.outcome == .reverted, let refusal = unwritten {
            throw .notWritten(refusal)
        }
        return outcome
    }

    /// What replaces a change that waits is made on top of what that one was made on.
    private func edits(of request: ChangeRequest) async throws(Rejection) -> Edits {
        guard request.replacesPending, let confirmation else { return request.edits }
        guard let former = try? await recorder.documents(of: confirmation.fallback) else {
            throw Rejection(
                phase: .edit,
                diagnostics: [
                    Diagnostic("no-version", "version \(confirmation.fallback), before the one that waits, is not in the history")
                ])
        }
        return Edits([.restore(former)] + request.edits.steps)
    }

    /// Why a change would be refused at this moment, whatever it comes to; `nil` when it would not.
    func obstacle(to edits: Edits, in files: Candidate) -> ChangeRefusal? {
        if let confirmation { return .awaitingConfirmation(confirmation) }
        guard !edits.isEmpty else { return nil }
        do throws(ChangeRefusal) { try refuseDrift(files, edits) } catch { return error }
        return nil
    }

    /// What others edited and nobody has looked at is not swept in with a change.
    private func refuseDrift(_ files: Candidate, _ edits: Edits) throws(ChangeRefusal) {
        let foreign = files.documents(differingFrom: running.candidate).subtracting(edits.replacedDocuments(of: files))
        guard foreign.isEmpty else { throw .drift(foreign.sorted(), running: current.latest.version) }
    }

    private func admit(_ request: ChangeRequest) throws(ChangeRefusal) {
        if let expected = request.ifVersion, expected != current.latest.version {
            throw .stale(expected: expected, running: current.latest.version)
        }
        if let time = request.confirmWithin, !ChangeRequest.confirmationTimes.contains(time) { throw .confirmationTime }
        if let confirmation, !request.replacesPending { throw .awaitingConfirmation(confirmation) }
    }

    /// Makes a kept version's documents those of a new version.
    func rollBack(
        to number: Int, _ cause: Cause, ifVersion: Int? = nil, confirmWithin: Duration? = nil, replacesPending: Bool = false,
        review: ProposedChange.Review? = nil
    ) async throws(ChangeRefusal) -> ReloadOutcome {
        let entry = try? await recorder.history(HistoryQuery(version: number)).entries.first
        guard let version = entry?.version, let documents = try? await recorder.documents(of: number) else {
            throw .noSuchVersion(number)
        }
        guard version.environment == environment else { throw .otherEnvironment(version: number, version.environment) }
        // To go back to the version that would come back anyway is to decide, not to ignore that a decision is waited for.
        let isDecision = confirmation?.fallback == number
        var cause = cause
        cause.reason = "rollback to version \(number)" + (cause.reason.isEmpty ? "" : ": \(cause.reason)")
        return try await apply(
            ChangeRequest(
                Edits([.restore(documents)]), cause: cause, ifVersion: ifVersion, confirmWithin: confirmWithin,
                replacesPending: replacesPending || isDecision, review: review))
    }

    /// Lets the version that waits stay.
    /// - Throws: ``ChangeRefusal/nothingToConfirm``; ``ChangeRefusal/notWritten(_:)`` when the history cannot keep it.
    func confirm(_ cause: Cause) async throws(ChangeRefusal) -> Int {
        guard let confirmation else { throw .nothingToConfirm }
        do {
            try await recorder.endConfirmation(of: confirmation.version, by: cause)
        } catch {
            throw .notRecorded("the confirmation could not be recorded: \(publicSentence(for: error))")
        }
        self.confirmation = nil
        logger.notice("the version is confirmed", metadata: ["version": "\(confirmation.version)"])
        return confirmation.version
    }

    /// Takes back the version whose time has passed. `false` when it could not be; then it still waits, and may be tried again.
    func takeBackUnconfirmed(at now: Date) async -> Bool {
        guard let confirmation, confirmation.deadline <= now else { return true }
        let cause = Cause(.confirm, actor: "system", reason: confirmation.expiry)
        do throws(ChangeRefusal) {
            switch try await rollBack(to: confirmation.fallback, cause) {
            case .committed: return true
            case .unchanged:
                try await recorder.end(confirmation, by: cause)
                self.confirmation = nil
                return true
            case .rejected(let attempt):
                logger.critical(
                    "the version that was not confirmed could not be taken back", metadata: ["problem": "\(attempt.problem ?? "")"])
            }
        } catch {
            logger.critical("the version that was not confirmed could not be taken back", metadata: ["problem": "\(error)"])
        }
        return false
    }
}

extension Recorder {
    fileprivate func end(_ confirmation: Confirmation, by cause: Cause) async throws(ChangeRefusal) {
        do {
            try await endConfirmation(of: confirmation.version, by: cause)
        } catch {
            throw .notRecorded("the end of the confirmation could not be recorded: \(publicSentence(for: error))")
        }
    }
}

extension Candidate {
    /// The names of the documents that are not as in another candidate.
    fileprivate func documents(differingFrom other: Candidate) -> Set<String> {
        let mine = Dictionary(documents.map { ($0.name, $0.bytes) }, uniquingKeysWith: { $1 })
        let theirs = Dictionary(other.documents.map { ($0.name, $0.bytes) }, uniquingKeysWith: { $1 })
        return Set(mine.keys).union(theirs.keys).filter { mine[$0] != theirs[$0] }
    }
}
