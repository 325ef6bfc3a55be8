import Foundation
import Logging
import Metrics

/// Takes candidates down the road, one at a time: the only thing that changes what runs.
///
/// Called by one ``ReloadQueue``, so no two of its reloads overlap.
actor Reloader<Root: Settings> {
    private let source: any Source
    private let environment: EnvironmentName
    private let pipeline: Pipeline<Root>
    private let committer: Committer<Root>
    private let recorder: any Recorder
    private let current: CurrentSnapshot<Root>
    private let observers: Observers<Root>
    private let policy: @Sendable (Root) -> ReloadPolicy
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let fingerprints: Fingerprints?

    /// What runs, as it was read and planned.
    private(set) var running: Planned<Root>
    private(set) var lastAttempt: Attempt?
    /// The attempt that what runs came from; `nil` while that is the start.
    private var lastCommit: Attempt?
    /// The candidate that was refused last, as long as it is what the files say.
    private var refused: Refused?
    private var standing: Status.State = .running
    /// The version that waits to be confirmed.
    private(set) var confirmation: Confirmation? {
        didSet { if confirmation != oldValue { confirming.yield(confirmation) } }
    }
    /// What was refused at the start, when the last good version runs in its place.
    private var refusedAtStart: Refusal?
    /// What the sources said last, whether it runs or not.
    private(set) var latestCandidate: Candidate
    /// An element for each candidate that a service refused; the newest only.
    nonisolated let refusals: AsyncStream<Void>
    private let refusal: AsyncStream<Void>.Continuation
    /// The version that waits to be confirmed, whenever that changes; the newest only.
    nonisolated let confirmations: AsyncStream<Confirmation?>
    private let confirming: AsyncStream<Confirmation?>.Continuation

    private struct Refused {
        let candidate: Candidate
        /// A service refused it: the cause may pass, so the same candidate is worth another try.
        let isTransient: Bool
        /// It was not looked at, because a version waits to be confirmed.
        var isHeldBack = false
    }

    /// A candidate that was refused, and why.
    struct Refusal: Sendable {
        let candidate: Candidate
        let rejection: Rejection
    }

    /// - Parameter refusedAtStart: What the files say, when `first` is the last good version in their place.
    init(
        _ first: Planned<Root>, insteadOf refusedAtStart: Refusal?, source: any Source, pipeline: Pipeline<Root>,
        committer: Committer<Root>, recorder: any Recorder,
        current: CurrentSnapshot<Root>, observers: Observers<Root>, policy: @escaping @Sendable (Root) -> ReloadPolicy,
        clock: any Clock<Duration>, logger: Logger, fingerprints: Fingerprints?
    ) {
        running = first
        latestCandidate = refusedAtStart?.candidate ?? first.candidate
        self.refusedAtStart = refusedAtStart
        (refusals, refusal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (confirmations, confirming) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.source = source
        environment = first.candidate.environment
        self.pipeline = pipeline
        self.committer = committer
        self.recorder = recorder
        self.current = current
        self.observers = observers
        self.policy = policy
        self.clock = clock
        self.logger = logger
        self.fingerprints = fingerprints
    }

    var state: Status.State { standing == .running && confirmation != nil ? .awaitingConfirm : standing }

    /// The files were invalid at the start, and still are; the version that ran last runs.
    var isLastKnownGood: Bool { refusedAtStart != nil }

    /// The files say something else than what runs.
    var drift: Bool { refused != nil }

    /// Whether a refused candidate should be tried again though its files are the same.
    var awaitsRetry: Bool { refused?.isTransient == true }

    /// Brings the services up with what was read at the start, and records it unless it is the version that ran last.
    /// - Parameters:
    ///   - cause: Why this starts now.
    ///   - confirmation: The version that waits to be confirmed since a former process.
    func start(_ cause: Cause, awaiting confirmation: Confirmation?) async throws(StartFailure) -> Int {
        let planned = running
        let last = try? await recorder.history(HistoryQuery(limit: 1, includesRejected: false)).entries.first?.version
        let isKnown = last?.digest == planned.snapshot.digest && last?.environment == environment
        // Planned before the services were registered; at the start all of them take part.
        let services = pipeline.services.plan(from: nil, to: planned.snapshot.value, changed: [])
        let outcome = await carryOut(
            planned, services, cause, recorded: !isKnown, parent: last?.number, replacing: nil,
            confirmation: confirmation.map { ($0.deadline, $0.fallback) })
        switch outcome {
        case .committed(let version, _):
            let number = version?.number ?? last?.number ?? 0
            // What was edited while nothing ran waits as the version did on top of which it was edited.
            self.confirmation = confirmation.map { Confirmation(version: number, fallback: $0.fallback, deadline: $0.deadline) }
            if let refusedAtStart {
                _ = await reject(refusedAtStart.candidate, Cause(.start, actor: "system"), Date(), .now, refusedAtStart.rejection)
            }
            return number
        case .refused(let failure), .degraded(let failure):
            throw StartFailure(phase: failure.phase, problem: failure.problem, services: failure.services)
        }
    }

    /// Reads the sources, takes what they say to its end, and tells of it.
    /// - Parameter isForced: Takes a candidate that drops most settings, or whose documents are empty, at its word.
    func reload(_ cause: Cause, isForced: Bool) async -> ReloadOutcome {
        let outcome = await readAndCommit(cause, isForced: isForced)
        observers.tell(.ended(outcome))
        return outcome
    }

    private func readAndCommit(_ cause: Cause, isForced: Bool) async -> ReloadOutcome {
        let started = ContinuousClock.now
        let at = Date()
        var candidate = await source.read(environment)
        let policy = policy(running.snapshot.value)
        if !isForced, !policy.allowsEmpty, vanished(candidate) != nil {
            // Editors and copies leave a file empty or absent for a moment.
            try? await clock.sleep(for: policy.emptyGrace)
            candidate = await source.read(environment)
        }
        latestCandidate = candidate
        let cause = cause.naming(ownerOf: candidate, differingFrom: running.candidate)
        if candidate.isSame(as: running.candidate) {
            if refused != nil { logger.notice("the files say again what runs", metadata: ["version": "\(current.latest.version)"]) }
            refused = nil
            refusedAtStart = nil
            if standing == .rejected { standing = .running }
            lastAttempt = lastCommit
            return .unchanged(version: current.latest.version)
        }
        let isDecided = refused.map { !$0.isTransient && !($0.isHeldBack && confirmation == nil) } ?? false
        if let refused, isDecided, !isForced, cause.trigger == .file, candidate.isSame(as: refused.candidate), let lastAttempt {
            return .rejected(lastAttempt)
        }
        if !isForced, !policy.allowsEmpty, let problem = vanished(candidate) {
            return await reject(candidate, cause, at, started, Rejection(phase: .read, diagnostics: [problem]))
        }
        if let confirmation {
            // Whether it is to come on top of that version or of the one before it, nobody can know yet.
            let wait = Diagnostic(
                "awaiting-confirmation",
                "version \(confirmation.version) waits to be confirmed; what the files say by then is read after that")
            let outcome = await reject(candidate, cause, at, started, Rejection(phase: .plan, diagnostics: [wait]))
            refused?.isHeldBack = true
            return outcome
        }
        let planned: Planned<Root>
        do {
            planned = try pipeline.plan(candidate, beside: current.latest)
        } catch {
            return await reject(candidate, cause, at, started, error)
        }
        if !isForced, !policy.allowsEmpty, cause.trigger == .file, let problem = shrinkage(planned) {
            return await reject(candidate, cause, at, started, Rejection(phase: .plan, diagnostics: [problem]))
        }
        return await commit(planned, cause, at, started)
    }

    // MARK: - Changes

    /// Edits the documents, takes them down the road, and writes them as part of the transaction.
    func apply(_ request: ChangeRequest) async throws(ChangeRefusal) -> ReloadOutcome {
        let outcome = try await editAndCommit(request)
        observers.tell(.ended(outcome))
        return outcome
    }

    private func editAndCommit(_ request: ChangeRequest) async throws(ChangeRefusal) -> ReloadOutcome {
        let (started, at) = (ContinuousClock.now, Date())
        try admit(request)
        let change: EditedCandidate
        do {
            change = try await source.edited(environment, by: request.edits, schema: pipeline.model)
        } catch {
            return await reject(running.candidate, request.cause, at, started, error, isOfFiles: false)
        }
        let foreign = change.original.documents(differingFrom: running.candidate).subtracting(change.replaced)
        guard foreign.isEmpty else { throw .drift(foreign.sorted()) }
        if change.candidate.isSame(as: running.candidate), change.writes.isEmpty { return .unchanged(version: current.latest.version) }
        let planned: Planned<Root>
        do {
            planned = try pipeline.plan(change.candidate, beside: current.latest)
        } catch {
            return await reject(change.candidate, request.cause, at, started, error, isOfFiles: false)
        }
        let deadline = request.confirmWithin.map { at.addingTimeInterval($0 / .seconds(1)) }
        let outcome = await commit(
            planned, request.cause, at, started, writing: change.writes,
            confirmation: deadline.map { ($0, confirmation?.fallback ?? current.latest.version) })
        if case .rejected(let attempt) = outcome, attempt.phase == .commit, attempt.outcome == .reverted {
            throw .notWritten(attempt.problem ?? "")
        }
        return outcome
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
        to number: Int, _ cause: Cause, ifVersion: Int? = nil, confirmWithin: Duration? = nil, replacesPending: Bool = false
    ) async throws(ChangeRefusal) -> ReloadOutcome {
        let entry = try? await recorder.history(HistoryQuery(version: number)).entries.first
        guard let version = entry?.version, let documents = try? await recorder.documents(of: number) else {
            throw .noSuchVersion(number)
        }
        guard version.environment == environment else { throw .otherEnvironment(version: number, version.environment) }
        // To go back to the version that would come back anyway is to decide, not to ignore that a decision is waited for.
        let isDecision = confirmation?.fallback == number
        return try await apply(
            ChangeRequest(
                Edits([.restore(documents)]), cause: cause, ifVersion: ifVersion, confirmWithin: confirmWithin,
                replacesPending: replacesPending || isDecision))
    }

    /// Lets the version that waits stay.
    /// - Throws: ``ChangeRefusal/nothingToConfirm``; ``ChangeRefusal/notWritten(_:)`` when the history cannot keep it.
    func confirm(_ cause: Cause) async throws(ChangeRefusal) -> Int {
        guard let confirmation else { throw .nothingToConfirm }
        do {
            try await recorder.endConfirmation(of: confirmation.version, by: cause)
        } catch {
            throw .notWritten("the confirmation could not be recorded: the recorder \(publicSentence(for: error))")
        }
        self.confirmation = nil
        logger.notice("the version is confirmed", metadata: ["version": "\(confirmation.version)"])
        return confirmation.version
    }

    /// Takes back the version whose time has passed. `false` when it could not be; then it still waits, and may be tried again.
    func takeBackUnconfirmed(at now: Date) async -> Bool {
        guard let confirmation, confirmation.deadline <= now else { return true }
        let cause = Cause(.confirm, actor: "system", reason: "version \(confirmation.version) was not confirmed in time")
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

    // MARK: - The end of the road

    private func commit(
        _ planned: Planned<Root>, _ cause: Cause, _ at: Date, _ started: ContinuousClock.Instant, writing writes: [DocumentChange] = [],
        confirmation: (deadline: Date, fallback: Int)? = nil
    ) async -> ReloadOutcome {
        standing = .applying
        let outcome = await carryOut(
            planned, planned.plan.services, cause, recorded: true, parent: current.latest.version, replacing: current.latest.value,
            writing: writes, confirmation: confirmation)
        switch outcome {
        case .committed(let version, _):
            let number = version?.number ?? current.latest.version
            running = planned
            latestCandidate = planned.candidate
            refused = nil
            refusedAtStart = nil
            standing = .running
            self.confirmation = confirmation.map { Confirmation(version: number, fallback: $0.fallback, deadline: $0.deadline) }
            lastAttempt = Attempt(
                id: number, cause: cause, at: at, duration: elapsed(since: started), phase: .record, outcome: .committed,
                digest: planned.snapshot.digest, environment: environment, version: number, services: version?.services ?? [])
            lastCommit = lastAttempt
            count("committed", cause)
            logger.notice(
                "version \(number) is live",
                metadata: [
                    "changed": "\(planned.plan.changes.map(\.key.description).joined(separator: " "))", "trigger": "\(cause.trigger)",
                    "ms": "\(milliseconds(elapsed(since: started)))",
                ])
            return .committed(number, planned.plan)
        case .refused(let failure):
            // What was asked for and refused is gone; what the files say is still there.
            if writes.isEmpty { refused = Refused(candidate: planned.candidate, isTransient: true) }
            standing = refused == nil ? .running : .rejected
            return await record(
                Attempt(
                    id: failure.attempt ?? 0, cause: cause, at: at, duration: elapsed(since: started), phase: failure.phase,
                    outcome: failure.attempt == nil ? .rejected : .reverted, problem: failure.problem, digest: planned.snapshot.digest,
                    environment: environment, services: failure.services), alreadyRecorded: failure.attempt != nil)
        case .degraded(let failure):
            if writes.isEmpty { refused = Refused(candidate: planned.candidate, isTransient: true) }
            standing = .degraded
            return await record(
                Attempt(
                    id: failure.attempt ?? 0, cause: cause, at: at, duration: elapsed(since: started), phase: failure.phase,
                    outcome: .degraded,
                    problem: failure.problem, digest: planned.snapshot.digest, environment: environment, services: failure.services),
                alreadyRecorded: failure.attempt != nil)
        }
    }

    /// Has the committer take the services over, and publishes what it committed.
    private func carryOut(
        _ planned: Planned<Root>, _ services: [PlannedService], _ cause: Cause, recorded: Bool, parent: Int?, replacing old: Root?,
        writing writes: [DocumentChange] = [], confirmation: (deadline: Date, fallback: Int)? = nil
    ) async -> CommitOutcome {
        let policy = policy(planned.snapshot.value)
        // By the rules that run: the change itself may be about them.
        let isInPlaceAllowed = self.policy(current.latest.value).allowsInPlace
        var intent = Intent(
            cause: cause, at: Date(), environment: environment, digest: planned.snapshot.digest, parent: parent == 0 ? nil : parent,
            documents: planned.candidate.storedDocuments, changedKeys: planned.plan.changes.map(\.key),
            writes: writes, confirmation: confirmation)
        intent.values = planned.plan.changes.prefix(1000).map { $0.recorded(fingerprints) }
        let writeBack = WriteBack(
            write: { [source] in try await source.write(writes, isInPlaceAllowed: isInPlaceAllowed) },
            restore: { [source] in try await source.restore(writes, isInPlaceAllowed: isInPlaceAllowed) })
        let outcome = await committer.commit(
            planned.snapshot.value, services: services, intent: recorded ? intent : nil, writingBack: writes.isEmpty ? nil : writeBack,
            deadlines: .init(prepare: policy.prepareTimeout, verify: policy.verifyTimeout))
        if case .committed(let version, _) = outcome {
            let before = old == nil ? nil : current.latest
            let next = planned.snapshot.numbered(version?.number ?? parent ?? 0)
            observers.publish(Publication(old: before, new: next, changedKeys: intent.changedKeys)) { current.publish(next) }
        }
        return outcome
    }

    private func reject(
        _ candidate: Candidate, _ cause: Cause, _ at: Date, _ started: ContinuousClock.Instant, _ rejection: Rejection,
        isOfFiles: Bool = true
    ) async -> ReloadOutcome {
        if isOfFiles {
            refused = Refused(candidate: candidate, isTransient: false)
            if standing != .degraded { standing = .rejected }
        }
        return await record(
            Attempt(
                id: 0, cause: cause, at: at, duration: elapsed(since: started), phase: rejection.phase, outcome: .rejected,
                problem: rejection.diagnostics.first { $0.severity == .error }?.message, diagnostics: rejection.diagnostics,
                digest: candidate.digest, environment: environment), alreadyRecorded: false)
    }

    private func record(_ attempt: Attempt, alreadyRecorded: Bool) async -> ReloadOutcome {
        lastAttempt = attempt
        if awaitsRetry { refusal.yield() }
        count(attempt.outcome?.rawValue ?? "", attempt.cause)
        logger.warning(
            "the candidate was refused; version \(current.latest.version) still runs",
            metadata: [
                "phase": "\(attempt.phase)", "problem": "\(attempt.problem ?? "")", "problems": "\(attempt.diagnostics.count)",
                "trigger": "\(attempt.cause.trigger)",
            ])
        if !alreadyRecorded {
            do {
                try await recorder.reject(attempt)
            } catch {
                logger.error("the refusal could not be recorded", metadata: ["problem": "\(error)"])
            }
        }
        return .rejected(attempt)
    }

    // MARK: - What looks like a half-written file

    /// A document that said something and is now empty or gone. Drop-ins come and go; the others do not by intention.
    private func vanished(_ candidate: Candidate) -> Diagnostic? {
        for text in running.candidate.documents where !text.bytes.isEmpty {
            if case .dropIn = text.role { continue }
            let now = candidate.documents.first { $0.name == text.name }
            // One that cannot be read has its own problem.
            if now == nil, candidate.problems.contains(where: { $0.location?.file == text.displayName }) { continue }
            if now?.bytes.isEmpty ?? true {
                return Diagnostic(
                    now == nil ? "missing-document" : "empty-document",
                    at: Location(file: text.displayName, line: 1, column: 1, endLine: 1, endColumn: 1),
                    "\(text.displayName) is \(now == nil ? "gone" : "empty"), but what runs comes from it",
                    hint: "restore it, or take it at its word with 'plue reload --force'")
            }
        }
        return nil
    }

    /// A change that takes away most of what is set: what a file cut short looks like, since any beginning of an INI file is one.
    private func shrinkage(_ planned: Planned<Root>) -> Diagnostic? {
        let before = running.snapshot.settings.count(where: \.isExplicit)
        let gone = running.snapshot.settings.count { $0.isExplicit && planned.snapshot.settings[$0.key]?.isExplicit != true }
        guard gone >= 8, gone * 2 > before else { return nil }
        return Diagnostic(
            "shrunk", "\(gone) of \(before) settings would return to their defaults",
            hint: "if that is meant, say so with 'plue reload --force'")
    }

    // MARK: - Figures

    private func elapsed(since start: ContinuousClock.Instant) -> Duration { start.duration(to: .now) }

    private func milliseconds(_ duration: Duration) -> Int64 {
        duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
    }

    private func count(_ result: String, _ cause: Cause) {
        Counter(label: "plue_reloads_total", dimensions: [("result", result), ("trigger", cause.trigger.rawValue)]).increment()
    }
}

extension Cause {
    /// A change found in files is laid to the owner of the first file that differs: who wrote it, no file says.
    fileprivate func naming(ownerOf candidate: Candidate, differingFrom running: Candidate) -> Cause {
        guard trigger == .file, actor == "file" else { return self }
        let known = Dictionary(running.documents.map { ($0.name, $0.bytes) }, uniquingKeysWith: { $1 })
        guard let owner = candidate.documents.first(where: { known[$0.name] != $0.bytes })?.owner else { return self }
        return Cause(trigger, actor: "file:\(owner)", reason: reason)
    }
}

extension Recorder {
    fileprivate func end(_ confirmation: Confirmation, by cause: Cause) async throws(ChangeRefusal) {
        do {
            try await endConfirmation(of: confirmation.version, by: cause)
        } catch {
            throw .notWritten("the recorder \(publicSentence(for: error))")
        }
    }
}

extension Plan.Change {
    /// The change as it is kept for good, each value in bounded space.
    fileprivate func recorded(_ fingerprints: Fingerprints?) -> ChangedValue {
        func text(_ content: SettingContent) -> String? {
            switch content {
            case .unset: nil
            case .plain(let value): String(value.description.prefix(120))
            case .secret(let secret): fingerprints.map { "(secret \($0.fingerprint(of: secret)))" } ?? "(secret)"
            }
        }
        return ChangedValue(key: key, before: text(old), after: text(new))
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

/// How a reload ended.
public enum ReloadOutcome: Sendable {
    /// The candidate is what runs already; nothing was touched.
    case unchanged(version: Int)
    /// It runs, under this number.
    case committed(Int, Plan)
    /// Refused; what ran before still runs.
    case rejected(Attempt)
}

/// How reloads go, for what supervises the process; see ``ConfigManager/onReload(_:)``.
public enum ReloadEvent: Sendable {
    /// SIGHUP arrived; the reload it asks for follows.
    case hangup
    /// A reload ended, whoever asked for it.
    case ended(ReloadOutcome)
    /// The reload that SIGHUP asked for ended.
    case hangupAnswered(ReloadOutcome)
}

/// Why the services could not be brought up.
public struct StartFailure: Error, Sendable, CustomStringConvertible {
    public let phase: Attempt.Phase
    /// One sentence.
    public let problem: String
    public let services: [ServiceResult]
    public var description: String { problem }
}
