import Foundation
import Logging
import Metrics
import SystemPackage

/// Takes candidates down the road, one at a time: the only thing that changes what runs.
///
/// Called by one ``ReloadQueue``, so no two of its reloads overlap. How it follows the sources and how it makes changes have a file each;
/// both end here, where a planned candidate becomes what runs, or is refused.
actor Reloader<Root: Settings> {
    let source: any Source
    let environment: EnvironmentName
    let pipeline: Pipeline<Root>
    private let committer: Committer<Root>
    let recorder: any Recorder
    let current: CurrentSnapshot<Root>
    let observers: Observers<Root>
    let policy: @Sendable (Root) -> ReloadPolicy
    let review: @Sendable (Root, ProposedChange) -> Diagnostic?
    let clock: any Clock<Duration>
    let logger: Logger
    private let fingerprints: Fingerprints?

    /// What runs, as it was read and planned.
    var running: Planned<Root>
    var lastAttempt: Attempt?
    /// The attempt that what runs came from; `nil` while that is the start.
    var lastCommit: Attempt?
    /// The candidate that was refused last, as long as it is what the files say.
    var refused: Refused?
    /// Why the documents of the last change could not be written.
    var unwritten: WriteRefusal?
    var standing: Status.State = .running
    /// The version that waits to be confirmed.
    var confirmation: Confirmation? {
        didSet {
            guard confirmation != oldValue else { return }
            confirming.yield(confirmation)
            observers.tell(.confirmation(confirmation))
        }
    }
    /// What was refused at the start, when the last good version runs in its place.
    var refusedAtStart: Refusal?
    /// What the sources said last, whether it runs or not.
    var latestCandidate: Candidate
    /// An element for each candidate that a service refused; the newest only.
    nonisolated let refusals: AsyncStream<Void>
    private let refusal: AsyncStream<Void>.Continuation
    /// The version that waits to be confirmed, whenever that changes; the newest only.
    nonisolated let confirmations: AsyncStream<Confirmation?>
    private let confirming: AsyncStream<Confirmation?>.Continuation

    struct Refused {
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
        review: @escaping @Sendable (Root, ProposedChange) -> Diagnostic? = { _, _ in nil },
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
        self.review = review
        self.clock = clock
        self.logger = logger
        self.fingerprints = fingerprints
    }

    var state: Status.State {
        confirmation != nil && (standing == .running || refused?.isHeldBack == true) ? .awaitingConfirm : standing
    }

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
    ///   - expired: The version that waited too long, in whose place this starts, and the documents that are written for that.
    func start(
        _ cause: Cause, awaiting confirmation: Confirmation?, takingBack expired: (confirmation: Confirmation, writes: [DocumentChange])?
    ) async throws(StartFailure) -> Int {
        let planned = running
        let last = try? await recorder.newestVersion(of: environment)
        let isKnown = last?.digest == planned.snapshot.digest
        let changes = isKnown ? [] : await changesSince(last)
        // Planned before the services were registered; at the start all of them take part.
        let services = pipeline.services.plan(from: nil, to: planned.snapshot.value, changed: [])
        let outcome = await carryOut(
            planned, services, changes, cause, recorded: !isKnown || expired != nil, parent: last?.number, replacing: nil,
            writing: expired?.writes ?? [], confirmation: confirmation.map { ($0.deadline, $0.fallback) })
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

    /// What differs between a version that ran in a former process and what starts now, by today's schema and variables.
    private func changesSince(_ version: Version?) async -> [Plan.Change] {
        guard let version, let documents = try? await recorder.documents(of: version.number) else { return running.plan.changes }
        let candidate = running.candidate
        let former = await offPool { [environment, pipeline] in
            var former = Candidate(
                environment, stored: documents, variables: candidate.variables, overrides: candidate.overrides, keys: candidate.keys)
            former.readWatchedFiles(by: pipeline.model, pipeline.files)
            return former
        }
        // What it said cannot be told any more where today's schema refuses it.
        guard let planned = try? pipeline.plan(former, beside: nil) else { return running.plan.changes }
        return Plan.changes(from: planned.snapshot.settings, to: running.snapshot.settings)
    }

    // MARK: - The end of the road

    func commit(
        _ planned: Planned<Root>, _ cause: Cause, _ at: Date, _ started: ContinuousClock.Instant, writing writes: [DocumentChange] = [],
        confirmation: (deadline: Date, fallback: Int)? = nil
    ) async -> ReloadOutcome {
        standing = .applying
        let outcome = await carryOut(
            planned, planned.plan.services, planned.plan.changes, cause, recorded: true, parent: current.latest.version,
            replacing: current.latest.value,
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
            unwritten = failure.writing
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
        _ planned: Planned<Root>, _ services: [PlannedService], _ changes: [Plan.Change], _ cause: Cause, recorded: Bool, parent: Int?,
        replacing old: Root?,
        writing writes: [DocumentChange] = [], confirmation: (deadline: Date, fallback: Int)? = nil
    ) async -> CommitOutcome {
        let policy = policy(planned.snapshot.value)
        // By the rules that run: the change itself may be about them.
        let isInPlaceAllowed = self.policy(current.latest.value).allowsInPlace
        var intent = Intent(
            cause: cause, at: Date(), environment: environment, digest: planned.snapshot.digest, parent: parent == 0 ? nil : parent,
            documents: planned.candidate.storedDocuments, changedKeys: changes.map(\.key),
            writes: writes, confirmation: confirmation)
        intent.values = changes.prefix(1000).map { $0.recorded(fingerprints) }
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

    func reject(
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

    // MARK: - Figures

    private func elapsed(since start: ContinuousClock.Instant) -> Duration { start.duration(to: .now) }

    private func milliseconds(_ duration: Duration) -> Int64 {
        duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
    }

    private func count(_ result: String, _ cause: Cause) {
        count(result, cause.trigger, 1)
    }

    private func count(_ result: String, _ trigger: Cause.Trigger, _ candidates: Int64) {
        Counter(
            label: "plue_reloads_total", dimensions: [("result", result), ("trigger", trigger.rawValue)],
            factory: pipeline.stages.metrics
        ).increment(by: candidates)
    }

    /// Shows the counters that alerts watch, at 0.
    func countNothing() {
        for result in [Attempt.Outcome.rejected, .reverted, .degraded] {
            for trigger in [Cause.Trigger.start, .file, .signal, .api, .command, .ssh, .confirm] { count(result.rawValue, trigger, 0) }
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
            case .secret, .file(_, isSecret: true): fingerprints.map { $0.shown(content).description } ?? "(secret)"
            case .file(let file, isSecret: false):
                String(file.path.string.prefix(120)) + (fingerprints.map { " (content \($0.fingerprint(of: file.digest)))" } ?? "")
            }
        }
        return ChangedValue(key: key, before: text(old), after: text(new))
    }
}
