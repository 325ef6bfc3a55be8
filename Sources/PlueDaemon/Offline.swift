import Foundation
import Logging
public import PlueConfig
import PlueLedger

/// Changes made while no daemon runs: the same pipeline, files and history, without services to move.
///
/// The history's lock keeps a daemon, and another one like this, away meanwhile.
public struct Offline: Sendable {
    let deployment: Deployment

    public init(_ deployment: Deployment) { self.deployment = deployment }

    /// The user who runs the command.
    public static func cause(reason: String) -> Cause { Cause(.command, actor: "unix:\(geteuid())", reason: reason) }

    /// - Throws: ``ConfigurationError``, ``RejectedChange``, or the ledger's error.
    public func apply(_ request: ChangeRequest) async throws -> JSONValue {
        var request = request
        // Nothing runs but the files, and broken ones are what may have to be mended.
        request.takesFilesAsTheyAre = true
        return try await withManager { [request] manager in
            var request = request
            request.review = ApprovalPolicy(manager.current.security).admit
            let outcome = try await manager.apply(request)
            return Self.answer(try ChangeAnswer.json(outcome, confirmation: await manager.status.confirmation))
        }
    }

    /// - Throws: ``ConfigurationError``, ``RejectedChange``, or the ledger's error.
    public func rollback(
        to version: Int, _ cause: Cause, ifVersion: Int?, confirmWithin time: Duration?, replacesPending: Bool
    ) async throws -> JSONValue {
        // Asked first: opening the configuration for a change records what was edited since.
        let kept = try await Ledger.reading(deployment.stateDirectory).history(HistoryQuery(version: version)).entries.first?.version
        guard let kept else { throw ConfigurationError.change(.noSuchVersion(version)) }
        guard kept.environment == deployment.environment else {
            throw ConfigurationError.change(.otherEnvironment(version: version, kept.environment))
        }
        return try await withManager { manager in
            let outcome = try await manager.rollback(
                to: version, cause: cause, ifVersion: ifVersion, confirmWithin: time, replacesPending: replacesPending,
                review: ApprovalPolicy(manager.current.security).admit)
            return Self.answer(try ChangeAnswer.json(outcome, confirmation: await manager.status.confirmation))
        }
    }

    /// - Throws: ``ConfigurationError``, or the ledger's error.
    public func confirm() async throws -> JSONValue {
        try await withManager { manager in
            if let expired = manager.takenBack {
                try await manager.start()
                throw ConfigurationError.change(.expired(expired))
            }
            return ["version": .integer(try await manager.confirm(Self.cause(reason: "")))]
        }
    }

    /// A secret in plain text, once it is on record who saw it.
    /// - Throws: ``Rejection`` when the configuration is invalid; ``ConfigurationError``, or the ledger's error.
    public func reveal(_ key: SettingKey, _ cause: Cause) async throws -> JSONValue {
        let planned = try deployment.plan(await deployment.source.read(deployment.environment))
        guard let setting = planned.snapshot.settings[key] else { throw NoSuchSetting(key: key) }
        let ledger = try Ledger(directory: deployment.stateDirectory, logger: Logger(label: "plue") { _ in SwiftLogNoOpLogHandler() })
        do {
            try await ledger.noteReveal(of: key, by: cause)
            try await ledger.close()
        } catch {
            try? await ledger.close()
            throw error
        }
        return RevealAnswer.json(setting)
    }

    /// Puts on record what became of keys, where a ledger can be written: a daemon that has it open is told by the keyring itself.
    public func note(keys what: String, _ cause: Cause) async throws {
        let ledger = try Ledger(directory: deployment.stateDirectory, logger: Logger(label: "plue") { _ in SwiftLogNoOpLogHandler() })
        do {
            try await ledger.noteKeys(what, by: cause)
            try await ledger.close()
        } catch {
            try? await ledger.close()
            throw error
        }
    }

    /// What the edits would do to what ran last. Touches nothing, not even a state directory that is not there.
    /// - Throws: ``Rejection``, ``ConfigurationError``, or the ledger's error.
    public func plan(_ edits: Edits) async throws -> JSONValue {
        let schema = try deployment.model()
        let edited = try await deployment.source.edited(deployment.environment, by: edits, schema: schema)
        let new = try deployment.plan(edited.candidate)
        let running = try await deployment.runningVersion()
        let old = try running.map { try deployment.plan($0.candidate) }
        return PlanAnswer.json(
            changes: Plan.changes(from: old?.snapshot.settings, to: new.snapshot.settings), beside: running?.number ?? 0,
            taking: DaemonServices.plan(from: old?.snapshot.value, to: new.snapshot.value), of: DaemonServices.all(new.snapshot.value),
            writes: edited.writes, warnings: new.plan.warnings, deployment.fingerprints())
    }

    /// An answer that says that nobody is there to take the change back in time.
    private static func answer(_ answer: JSONValue) -> JSONValue {
        guard var confirm = answer["confirm"], confirm != .null else { return answer }
        var answer = answer
        confirm["offline"] = true
        answer["confirm"] = confirm
        return answer
    }

    private func withManager(_ body: (ConfigManager<DaemonSettings>) async throws -> JSONValue) async throws -> JSONValue {
        // What is worth saying is in the answer.
        let logger = Logger(label: "plue") { _ in SwiftLogNoOpLogHandler() }
        let ledger = try Ledger(directory: deployment.stateDirectory, logger: logger)
        var options = try deployment.options(recorder: ledger, logger: logger)
        options.followsHangup = false
        // Broken files are no reason not to mend them.
        options.startsFromLastGood = true
        do {
            let manager = try await ConfigManager(
                DaemonSettings.self, source: deployment.source, environment: deployment.environment, options: options)
            let answer = try await body(manager)
            try await ledger.close()
            return answer
        } catch {
            try? await ledger.close()
            throw error
        }
    }
}
