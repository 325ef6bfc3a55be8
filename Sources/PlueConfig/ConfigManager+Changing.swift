import Foundation
import Logging
import PlueDocuments

/// Changing the configuration: each change goes down the same road as a saved file, and writes the files itself.
extension ConfigManager {
    /// Makes edits in the documents that own the settings, as one transaction: checked, prepared, verified and written, or nothing.
    /// - Parameters:
    ///   - reason: Why, in the words of whoever asks; kept in the history.
    ///   - time: The change is taken back unless ``confirm(_:)`` is called within it, also when the process ends meanwhile.
    /// - Returns: What it came to; a candidate that is invalid or that a service refuses is `rejected`, and changes nothing.
    /// - Throws: ``ConfigurationError/change(_:)`` when it was refused before its contents were looked at.
    @discardableResult
    public func apply(_ edits: Edits, reason: String = "", confirmWithin time: Duration? = nil) async throws(ConfigurationError)
        -> ReloadOutcome
    {
        try await apply(ChangeRequest(edits, cause: Cause(.api, actor: "system", reason: reason), confirmWithin: time))
    }

    /// Makes a change under its conditions.
    /// - Throws: ``ConfigurationError/change(_:)`` when it was refused before its contents were looked at.
    @discardableResult
    public func apply(_ request: ChangeRequest) async throws(ConfigurationError) -> ReloadOutcome {
        try await changing { (reloader) async throws(ChangeRefusal) in try await reloader.apply(request) }
    }

    /// Changes settings through the struct; what differs afterwards becomes edits of the documents that own it.
    ///
    /// ```swift
    /// try await manager.update(reason: "quieter") { $0.ssh.port = 2222 }
    /// ```
    /// - Throws: ``ConfigurationError/invalid(_:)`` when a secret was changed, which documents should not hold in plain text;
    ///   ``ConfigurationError/change(_:)``.
    @discardableResult
    public func update(
        reason: String = "", confirmWithin time: Duration? = nil, _ change: @Sendable (inout Root) -> Void
    ) async throws(ConfigurationError) -> ReloadOutcome {
        let running = snapshot
        var value = running.value
        change(&value)
        let (before, after) = (Root.schema.values(of: running.value), Root.schema.values(of: value))
        var edits = Edits()
        for (key, value) in after where value != before[key] {
            guard schema.setting(for: key)?.isSecret != true else {
                throw .invalid([
                    Diagnostic(
                        "secret", key: key, "\(key) is secret, and documents should not hold it in plain text",
                        hint: "refer to it, as in ${file:/run/secrets/\(key.name)}")
                ])
            }
            edits.steps.append(.set(key, to: value))
        }
        for key in before.keys where after[key] == nil { edits.steps.append(.remove(key)) }
        return try await apply(
            ChangeRequest(
                edits, cause: Cause(.api, actor: "system", reason: reason), ifVersion: running.version, confirmWithin: time))
    }

    /// Makes a kept version's documents run again, as a new version; the files are written back.
    /// - Throws: ``ConfigurationError/change(_:)``, among them that the version is not kept.
    @discardableResult
    public func rollback(
        to version: Int, cause: Cause = Cause(.api, actor: "system"), ifVersion: Int? = nil, confirmWithin time: Duration? = nil,
        replacesPending: Bool = false, review: ProposedChange.Review? = nil
    ) async throws(ConfigurationError) -> ReloadOutcome {
        try await changing { (reloader) async throws(ChangeRefusal) in
            try await reloader.rollBack(
                to: version, cause, ifVersion: ifVersion, confirmWithin: time, replacesPending: replacesPending, review: review)
        }
    }

    /// Lets the version that waits to be confirmed stay.
    /// - Returns: Its number.
    /// - Throws: ``ConfigurationError/change(_:)``, among them that none waits.
    @discardableResult
    public func confirm(_ cause: Cause = Cause(.api, actor: "system")) async throws(ConfigurationError) -> Int {
        let version = try await changing { (reloader) async throws(ChangeRefusal) in try await reloader.confirm(cause) }
        // What was saved meanwhile was held back.
        if let running, await running.reloader.drift { _ = await running.queue.request(Cause(.file, actor: "file")) }
        return version
    }

    /// What the edits would do: every setting, every service, every document. Touches nothing.
    public func plan(_ edits: Edits) async -> Swift.Result<PlannedChange<Root>, Rejection> {
        do {
            let edited = try await source.edited(environment, by: edits, schema: schema, files: options.files)
            var planned = try plan(edited.candidate).get()
            if let obstacle = await running?.reloader.obstacle(to: edits, in: edited.original) {
                planned.plan.warnings.append(Diagnostic("refused-now", severity: .warning, "applying this now is refused: \(obstacle)"))
            }
            return .success(PlannedChange(planned: planned, writes: edited.writes, version: snapshots.latest.version))
        } catch {
            return .failure(error)
        }
    }

    private func changing<Result: Sendable>(
        _ change: @escaping @Sendable (Reloader<Root>) async throws(ChangeRefusal) -> Result
    ) async throws(ConfigurationError) -> Result {
        try await start()
        guard let running else { throw .registration("the manager has not started") }
        let reloader = running.reloader
        let outcome = await running.queue.perform { () -> Swift.Result<Result, ChangeRefusal> in
            do throws(ChangeRefusal) { return .success(try await change(reloader)) } catch { return .failure(error) }
        }
        switch outcome {
        case .success(let result)?: return result
        case .failure(let refusal)?: throw .change(refusal)
        case nil: throw .change(.busy)
        }
    }
}

/// A change that was planned and not made.
public struct PlannedChange<Root: Settings>: Sendable {
    /// The checked candidate, with its plan.
    public let planned: Planned<Root>
    /// The documents that it would write.
    public let writes: [DocumentChange]
    /// The version beside which it was planned; the change should be made only while that one runs.
    public let version: Int
}

extension Source {
    /// Puts back what a process that was killed had written of a change that was not committed.
    func finishWrites(of recorder: any Recorder, logger: Logger) async throws {
        // The newest first: it may have been made on top of another one.
        for unfinished in try await recorder.unfinishedWrites().reversed() {
            do throws(WriteRefusal) {
                try await restore(unfinished.changes, isInPlaceAllowed: true)
            } catch {
                guard error.cause == .changedMeanwhile else { throw error }
                // Somebody has taken the file in hand since: that counts.
                logger.warning("a document is left as it was found", metadata: ["problem": "\(error)"])
            }
            try await recorder.restored(unfinished.attempt)
            logger.warning(
                "a change that was interrupted was taken back",
                metadata: [
                    "attempt": "\(unfinished.attempt)", "documents": "\(unfinished.changes.map(\.name).joined(separator: " "))",
                ])
        }
    }
}

extension Candidate {
    /// The newest version of the same environment, with today's variables and secrets; `nil` when there is none.
    func lastGood(in recorder: any Recorder, schema: SectionModel, _ files: any FileAccess) async -> Candidate? {
        guard let version = try? await recorder.newestVersion(of: environment),
            let documents = try? await recorder.documents(of: version.number)
        else { return nil }
        return await offPool {
            var candidate = Candidate(environment, stored: documents, variables: variables, overrides: overrides, keys: keys)
            candidate.readWatchedFiles(by: schema, files)
            return candidate
        }
    }
}
