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

    /// What runs, as it was read and planned.
    private(set) var running: Planned<Root>
    private(set) var lastAttempt: Attempt?
    /// The attempt that what runs came from; `nil` while that is the start.
    private var lastCommit: Attempt?
    /// The candidate that was refused last, as long as it is what the files say.
    private var refused: Refused?
    private(set) var state: Status.State = .running
    /// What the sources said last, whether it runs or not.
    private(set) var latestCandidate: Candidate
    /// An element for each candidate that a service refused; the newest only.
    nonisolated let refusals: AsyncStream<Void>
    private let refusal: AsyncStream<Void>.Continuation

    private struct Refused {
        let candidate: Candidate
        /// A service refused it: the cause may pass, so the same candidate is worth another try.
        let isTransient: Bool
    }

    init(
        _ first: Planned<Root>, source: any Source, pipeline: Pipeline<Root>, committer: Committer<Root>, recorder: any Recorder,
        current: CurrentSnapshot<Root>, observers: Observers<Root>, policy: @escaping @Sendable (Root) -> ReloadPolicy,
        clock: any Clock<Duration>, logger: Logger
    ) {
        running = first
        latestCandidate = first.candidate
        (refusals, refusal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
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
    }

    /// The files say something else than what runs.
    var drift: Bool { refused != nil }

    /// Whether a refused candidate should be tried again though its files are the same.
    var awaitsRetry: Bool { refused?.isTransient == true }

    /// Brings the services up with what was read at the start, and records it unless it is the version that ran last.
    func start() async throws(StartFailure) -> Int {
        let planned = running
        let last = try? await recorder.history(HistoryQuery(limit: 1, includesRejected: false)).entries.first?.version
        let isKnown = last?.digest == planned.snapshot.digest && last?.environment == environment
        let cause = Cause(.start, actor: "system")
        // Planned before the services were registered; at the start all of them take part.
        let services = pipeline.services.plan(from: nil, to: planned.snapshot.value, changed: [])
        let outcome = await carryOut(planned, services, cause, recorded: !isKnown, parent: last?.number, replacing: nil)
        switch outcome {
        case .committed(let version, _):
            return version?.number ?? last?.number ?? 0
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
            if state == .rejected { state = .running }
            lastAttempt = lastCommit
            return .unchanged(version: current.latest.version)
        }
        if let refused, !isForced, !refused.isTransient, cause.trigger == .file, candidate.isSame(as: refused.candidate), let lastAttempt {
            return .rejected(lastAttempt)
        }
        if !isForced, !policy.allowsEmpty, let problem = vanished(candidate) {
            return await reject(candidate, cause, at, started, Rejection(phase: .read, diagnostics: [problem]))
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

    // MARK: - The end of the road

    private func commit(_ planned: Planned<Root>, _ cause: Cause, _ at: Date, _ started: ContinuousClock.Instant) async -> ReloadOutcome {
        state = .applying
        let outcome = await carryOut(
            planned, planned.plan.services, cause, recorded: true, parent: current.latest.version, replacing: current.latest.value)
        switch outcome {
        case .committed(let version, _):
            let number = version?.number ?? current.latest.version
            running = planned
            refused = nil
            state = .running
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
            refused = Refused(candidate: planned.candidate, isTransient: true)
            state = .rejected
            return await record(
                Attempt(
                    id: failure.attempt ?? 0, cause: cause, at: at, duration: elapsed(since: started), phase: failure.phase,
                    outcome: failure.attempt == nil ? .rejected : .reverted, problem: failure.problem, digest: planned.snapshot.digest,
                    environment: environment, services: failure.services), alreadyRecorded: failure.attempt != nil)
        case .degraded(let failure):
            refused = Refused(candidate: planned.candidate, isTransient: true)
            state = .degraded
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
        _ planned: Planned<Root>, _ services: [PlannedService], _ cause: Cause, recorded: Bool, parent: Int?, replacing old: Root?
    ) async -> CommitOutcome {
        let policy = policy(planned.snapshot.value)
        let intent = Intent(
            cause: cause, at: Date(), environment: environment, digest: planned.snapshot.digest, parent: parent == 0 ? nil : parent,
            documents: planned.candidate.storedDocuments, changedKeys: planned.plan.changes.map(\.key))
        let outcome = await committer.commit(
            planned.snapshot.value, services: services, intent: recorded ? intent : nil,
            deadlines: .init(prepare: policy.prepareTimeout, verify: policy.verifyTimeout))
        if case .committed(let version, _) = outcome {
            let before = old == nil ? nil : current.latest
            let next = planned.snapshot.numbered(version?.number ?? parent ?? 0)
            observers.publish(Publication(old: before, new: next, changedKeys: intent.changedKeys)) { current.publish(next) }
        }
        return outcome
    }

    private func reject(
        _ candidate: Candidate, _ cause: Cause, _ at: Date, _ started: ContinuousClock.Instant, _ rejection: Rejection
    ) async -> ReloadOutcome {
        refused = Refused(candidate: candidate, isTransient: false)
        if state != .degraded { state = .rejected }
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
