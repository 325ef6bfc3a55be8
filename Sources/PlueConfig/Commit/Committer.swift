import Logging
import Metrics
import OrderedCollections

/// One writer: carries a change out over all services that it concerns, or over none.
///
/// One transaction at a time, in this order:
///
/// 1. **prepare** in the order of dependencies. Nothing is visible yet; whoever asked may still give up.
/// 2. **intend**: what is about to happen is recorded durably. It comes after prepare, so that an intent found without an
///    outcome at the next start means exactly one thing: services, and perhaps files, may have been changed. From here
///    the transaction runs to its end, whatever happens to whoever asked.
/// 3. **activate** in the order of dependencies, **verify** from outside, write the documents back.
/// 4. **conclude**: the commit point, written last. Before it everything can be swapped back; after it nothing is.
///
/// The instances that lost are left to ``run()``. A process that ends before 2 has changed nothing; between 2 and 4 it
/// leaves an intent without outcome; after 4 it has committed.
actor Committer<Root: Sendable> {
    private(set) var services: ServiceSet<Root>
    private let recorder: any Recorder
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let phases: PhaseRunner
    private let stages: Stages
    private let turns = Turns(limit: 16)
    private let drain: DrainQueue<Root>

    /// What each service runs.
    private var live: [String: ServiceInstance<Root>] = [:]
    /// The version each service took its settings from, and who does not work since a change was swapped back.
    private var versions: [String: Int] = [:]
    private var degraded: Set<String> = []
    /// The version that runs; `nil` before the first that was recorded here.
    private var version: Int?
    /// How a transaction ended that the recorder could not be told of. Told before the next one is intended, since an intent
    /// without outcome means at the next start that files have to be put back.
    private var untold: Conclusion?

    init(
        services: ServiceSet<Root> = ServiceSet(), recorder: any Recorder, clock: any Clock<Duration> = ContinuousClock(),
        logger: Logger, stages: Stages = Stages()
    ) {
        self.services = services
        self.recorder = recorder
        self.clock = clock
        self.logger = logger
        phases = PhaseRunner(clock: clock, logger: logger, metrics: stages.metrics)
        self.stages = stages
        drain = DrainQueue(clock: clock, grace: .seconds(5), logger: logger)
    }

    /// Adds a service. It runs nothing until a transaction names it; to bring one up beside those that run, commit a plan of
    /// that service alone, without an intent.
    func add(_ service: ServiceRegistration<Root>) throws(ServiceSetError) { try services.add(service) }

    /// How each service stands, in the order of addition.
    var serviceStates: [ServiceState] {
        get async {
            let draining = await drain.counts
            return services.names.map { name in
                ServiceState(
                    name: name, isLive: live[name] != nil, isDegraded: degraded.contains(name), version: versions[name],
                    draining: draining[name] ?? 0)
            }
        }
    }

    // MARK: - Transactions

    /// Moves the services to the next settings, all or none.
    ///
    /// Waits for the transaction that is under way. A plan that was made beside another version than the one that runs when
    /// its turn comes is refused as stale, since it may leave out a service that has changed meanwhile.
    ///
    /// When the first start is refused or degraded, call ``shutDown()``: what was prepared waits to be retired.
    /// - Parameters:
    ///   - plan: From ``ServiceSet/plan(from:to:changed:)``. Those that wait for the next start are passed over.
    ///   - intent: What to record; `nil` when nothing new runs, as when a process starts with the version it ran last.
    ///   - writeBack: The documents to write when all services have passed.
    func commit(
        _ next: Root, services plan: [PlannedService], intent: Intent?, writingBack writeBack: WriteBack? = nil,
        deadlines: CommitDeadlines = CommitDeadlines()
    ) async -> CommitOutcome {
        switch await turns.take() {
        case .granted: break
        case .full: return .refused(CommitFailure(reason: .busy, phase: .plan, problem: "too many changes wait already"))
        case .cancelled: return .refused(CommitFailure(reason: .cancelled, phase: .plan, problem: "the change was given up"))
        case .closed: return .refused(CommitFailure(reason: .shutDown, phase: .plan, problem: "the process is shutting down"))
        }
        defer { turns.pass() }
        let outcome = await transact(next, plan, intent, writeBack, deadlines)
        log(outcome)
        return outcome
    }

    private func transact(
        _ next: Root, _ plan: [PlannedService], _ intent: Intent?, _ writeBack: WriteBack?, _ deadlines: CommitDeadlines
    ) async -> CommitOutcome {
        let elapsed = stopwatch(clock)
        if let version, let intent, intent.parent != version {
            let base = intent.parent.map { "version \($0)" } ?? "no version"
            return .refused(
                CommitFailure(reason: .stale, phase: .plan, problem: "the change was planned beside \(base), but version \(version) runs"))
        }
        var parts: [Transaction<Root>.Part] = []
        for planned in plan where planned.takesPart {
            guard let member = services.members[planned.name] else {
                return .refused(
                    CommitFailure(reason: .unknownService, phase: .plan, problem: "there is no service named '\(planned.name)'"))
            }
            parts.append(
                Transaction.Part(
                    registration: member.registration, level: member.level, action: planned.action, previous: live[planned.name]))
        }
        var transaction = Transaction(parts, deadlines: deadlines, phases: phases)

        let preparing = stages.begin(.prepare)
        let problems = await transaction.prepare(next) { [drain, logger] part, instance in
            logger.warning("a service prepared after its deadline; that instance is retired", metadata: ["service": "\(part.name)"])
            await drain.add([Retirement(of: instance, service: part.name, level: part.level, deadline: deadlines.retire)])
        }
        preparing.end(isRefused: !problems.isEmpty)
        // The last moment to give up.
        let isCancelled = Task.isCancelled
        guard problems.isEmpty, !isCancelled else {
            await drain.add(transaction.prepared)
            return .refused(
                CommitFailure(
                    reason: isCancelled ? .cancelled : .service, phase: .prepare,
                    problem: isCancelled ? "the change was given up" : problems.joined(separator: "; "),
                    services: transaction.results))
        }
        return await shielded { [transaction] in
            await self.carryOut(transaction, intent, writeBack, deadlines, elapsed)
        }
    }

    /// From the intent to the commit point, or back.
    private func carryOut(
        _ prepared: Transaction<Root>, _ intent: Intent?, _ writeBack: WriteBack?, _ deadlines: CommitDeadlines,
        _ elapsed: @Sendable () -> Duration
    ) async -> CommitOutcome {
        var transaction = prepared
        var attempt: Int?
        do {
            if intent != nil, let conclusion = untold {
                _ = try await recorder.conclude(conclusion)
                untold = nil
            }
            if let intent { attempt = try await recorder.intend(intent) }
        } catch {
            await drain.add(transaction.prepared)
            return .refused(
                CommitFailure(
                    reason: .notRecorded, phase: .record,
                    problem: "the intent could not be recorded, so nothing was activated: \(publicSentence(for: error))",
                    services: transaction.results))
        }

        let activating = stages.begin(.activate)
        await transaction.activate()
        for part in transaction.parts { live[part.name] = part.next }
        activating.end()

        let verifying = stages.begin(.verify)
        let problems = await transaction.verify()
        verifying.end(isRefused: !problems.isEmpty)
        guard problems.isEmpty else {
            let failure = CommitFailure(reason: .service, phase: .verify, problem: problems.joined(separator: "; "))
            return await revert(transaction, failure, attempt, nil, elapsed)
        }
        let writing = stages.begin(.write)
        do {
            try await writeBack?.write()
            writing.end()
        } catch {
            writing.end(isRefused: true)
            let failure = CommitFailure(
                reason: .notWritten, phase: .commit, problem: "the documents could not be written: \(publicSentence(for: error))",
                writing: error as? WriteRefusal)
            return await revert(transaction, failure, attempt, writeBack, elapsed)
        }
        let recording = stages.begin(.record)
        do {
            // The commit point: when this returns, the version exists.
            let version = try await conclude(transaction, attempt, elapsed())
            recording.end()
            if let version { self.version = version.number }
            for part in transaction.parts {
                versions[part.name] = version?.number
                degraded.remove(part.name)
            }
            await drain.add(transaction.replaced)
            return .committed(version, transaction.results)
        } catch {
            recording.end(isRefused: true)
            let failure = CommitFailure(
                reason: .notRecorded, phase: .record,
                problem: "the outcome could not be recorded: \(publicSentence(for: error))")
            return await revert(transaction, failure, attempt, writeBack, elapsed)
        }
    }

    /// The way back: the forward path with the old instances, which are still alive.
    private func revert(
        _ activated: Transaction<Root>, _ failure: CommitFailure, _ attempt: Int?, _ written: WriteBack?,
        _ elapsed: @Sendable () -> Duration
    ) async -> CommitOutcome {
        var transaction = activated
        var failure = failure
        await transaction.revert()
        for part in transaction.parts { live[part.name] = part.previous }
        await drain.add(transaction.prepared)

        var worse = await transaction.verifyPrevious()
        var isRestored = true
        for part in transaction.parts where part.isDegraded { degraded.insert(part.name) }
        do {
            try await written?.restore()
        } catch {
            isRestored = false
            worse.append("the former documents could not be written back: \(publicSentence(for: error))")
        }
        failure = CommitFailure(
            reason: failure.reason, phase: failure.phase, problem: ([failure.problem] + worse).joined(separator: "; "),
            services: transaction.results, attempt: attempt, writing: failure.writing)
        let conclusion = attempt.map {
            Conclusion(
                id: $0, outcome: worse.isEmpty ? .reverted : .degraded, phase: failure.phase, duration: elapsed(),
                problem: failure.problem, services: transaction.results, isRestored: isRestored)
        }
        do {
            if let conclusion { _ = try await recorder.conclude(conclusion) }
        } catch {
            untold = conclusion
            logger.error(
                "the reverted change could not be recorded",
                metadata: ["attempt": "\(attempt ?? 0)", "problem": "\(publicSentence(for: error))"])
        }
        return worse.isEmpty ? .refused(failure) : .degraded(failure)
    }

    private func conclude(_ committed: Transaction<Root>, _ attempt: Int?, _ duration: Duration) async throws -> Version? {
        guard let attempt else { return nil }
        let conclusion = Conclusion(id: attempt, outcome: .committed, phase: .record, duration: duration, services: committed.results)
        guard let version = try await recorder.conclude(conclusion) else {
            throw ServiceRefusal("gave no version for a committed change")
        }
        return version
    }

    // MARK: - Retirement

    /// Drains what was replaced, beside the transactions, until graceful shutdown begins and all has drained.
    ///
    /// Cancellation means now: it cuts what drains. Run it once; what is replaced while it does not run waits for it, or for
    /// ``shutDown()``.
    func run() async { await drain.run() }

    /// Refuses further transactions, waits for the one under way, and retires everything that is live, those that depend on
    /// others first. Call it when ``run()`` has returned. Cancellation cuts what drains.
    func shutDown(deadline: Duration = CommitDeadlines().retire) async {
        await turns.close()
        let remaining = live
        live = [:]
        await drain.finish(
            with: services.members.compactMap { name, member in
                remaining[name].map { Retirement(of: $0, service: name, level: member.level, deadline: deadline) }
            })
    }

    private func log(_ outcome: CommitOutcome) {
        switch outcome {
        case .committed(let version, let services):
            logger.debug(
                "services follow the new settings",
                metadata: [
                    "version": "\(version?.number ?? self.version ?? 0)", "services": "\(services.map(\.name).joined(separator: " "))",
                ])
        case .refused(let failure):
            logger.warning(
                "the change was refused; every service runs as before",
                metadata: ["phase": "\(failure.phase)", "problem": "\(failure.problem)"])
        case .degraded(let failure):
            logger.critical(
                "swapping back failed: what runs is degraded", metadata: ["phase": "\(failure.phase)", "problem": "\(failure.problem)"])
        }
    }
}

/// How a service stands.
struct ServiceState: Hashable, Sendable {
    let name: String
    /// Whether it has been brought up.
    let isLive: Bool
    /// Whether it failed its verification when a change was swapped back, and has not been replaced since.
    let isDegraded: Bool
    /// The version it took its settings from; `nil` when that was recorded before this process, or never.
    let version: Int?
    /// How many of its replaced instances drain.
    let draining: Int
}
