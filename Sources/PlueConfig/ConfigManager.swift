import Foundation
public import Logging
public import Metrics
import Synchronization
public import SystemPackage
public import Tracing
import UnixSignals

/// The configuration of a program: loaded and validated when it is made, then kept in step with its sources while it runs.
///
/// ```swift
/// let manager = try await ConfigManager(AppSettings.self, directory: "/etc/plue", environment: .production)
/// try manager.register(http, for: \.server)
/// let group = ServiceGroup(services: [manager, …], logger: logger)      // first in the group: stopped last
/// ```
///
/// Reads wait for nobody: ``read(_:)`` and ``reader()`` on hot paths, ``current`` where convenience counts. A candidate that is
/// refused leaves everything as it was; ``status`` says why.
public final class ConfigManager<Root: Settings>: Sendable {
    @usableFromInline let snapshots: CurrentSnapshot<Root>
    let first: Planned<Root>
    private let origin: Origin
    let source: any Source
    /// The schema's model with the application's own sections.
    public let schema: SectionModel
    let options: Options
    let observers = Observers<Root>()
    let watch: FileWatch
    /// SIGHUP, trapped before anything is read: its default action would end the process.
    let hangups: UnixSignalsSequence?
    private let lifetime = Mutex(Lifetime.registering(ServiceSet<Root>()))

    /// What a manager needs besides its sources; the defaults suit an embedded one.
    public struct Options: Sendable {
        /// Keeps versions and refusals; in memory unless a ledger is given.
        public var recorder: any Recorder = MemoryRecorder()
        /// The application's own sections, beside those of the settings struct.
        public var extraSections: SectionModel?
        /// What rules about paths look at.
        public var files: any FileAccess = SystemFiles()
        /// How changes are noticed and how long phases may take, out of the running settings.
        public var policy: @Sendable (Root) -> ReloadPolicy = { _ in ReloadPolicy() }
        /// Has a say in what files bring in, by the settings that run: what it finds wrong keeps the candidate from running. At a
        /// start the version that ran last then comes up in its place.
        public var review: (@Sendable (_ running: Root, _ change: ProposedChange) -> Diagnostic?)?
        /// Whether the version that ran last comes up when the files are invalid at the start, until they are valid again.
        public var startsFromLastGood = false
        /// Whether SIGHUP reads the sources again.
        public var followsHangup = true
        /// Tells secrets apart in what is recorded of a change; without it a secret's change says only that it is one.
        public var fingerprints: Fingerprints?
        /// Where the manager says what it does; never a value of a setting that is secret.
        public var logger = Logger(label: "plue.config")
        /// Where figures go; what the process has bootstrapped unless given.
        public var metrics: any MetricsFactory = MetricsSystem.factory
        /// Where the stages of each candidate's way are traced; what the process has bootstrapped unless given. No span carries a
        /// value, a reason, or the text of an error.
        public var tracer: any Tracer = InstrumentationSystem.tracer
        /// By which deadlines are measured; another one in tests.
        public var clock: any Clock<Duration> = ContinuousClock()

        public init() {}

        var stages: Stages { Stages(tracer: tracer, metrics: metrics) }
    }

    /// How the first snapshot came about.
    private struct Origin {
        var cause = Cause(.start, actor: "system")
        /// What the files say, when the last good version comes up in their place.
        var refused: Reloader<Root>.Refusal?
        /// What waits to be confirmed since a former process.
        var confirmation: Confirmation?
        /// What waited too long, and what its taking back writes.
        var expired: (confirmation: Confirmation, writes: [DocumentChange])?
    }

    private enum Lifetime {
        case registering(ServiceSet<Root>)
        case started(Running)
    }

    /// What exists once the services are known.
    struct Running: Sendable {
        let services: ServiceSet<Root>
        let reloader: Reloader<Root>
        let committer: Committer<Root>
        let queue: ReloadQueue<ReloadOutcome>
    }

    /// Loads and validates a directory of INI documents.
    /// - Throws: ``ConfigurationError/invalid(_:)`` with every diagnostic; ``ConfigurationError/contradictorySchema(_:)``.
    public convenience init(
        _ type: Root.Type, directory: FilePath, environment: EnvironmentName, overrides: [Override] = [], options: Options = Options()
    ) async throws(ConfigurationError) {
        try await self.init(type, source: DirectorySource(directory, overrides: overrides), environment: environment, options: options)
    }

    /// Loads and validates what a source gives.
    public init(
        _ type: Root.Type, source: any Source, environment: EnvironmentName, options: Options = Options()
    ) async throws(ConfigurationError) {
        guard Root.schema.contradictions.isEmpty else { throw .contradictorySchema(Root.schema.contradictions) }
        self.source = source
        self.options = options
        hangups = options.followsHangup ? await HangupSignal.trapped() : nil
        schema = options.extraSections.map { Root.schema.model.merging($0) } ?? Root.schema.model
        let pipeline = Pipeline(
            schema: Root.schema, model: schema, services: ServiceSet<Root>(), files: options.files, stages: options.stages)
        var origin = Origin()
        let candidate: Candidate
        do {
            try await source.finishWrites(of: options.recorder, logger: options.logger)
            origin.confirmation = try await options.recorder.pendingConfirmation(of: environment)
            if let expired = origin.confirmation, expired.deadline <= Date() {
                // The version that nobody confirmed is not even looked at: it may be the one that keeps this from starting.
                let back = try await source.takingBack(expired, environment, schema: schema, files: options.files, from: options.recorder)
                candidate = back.candidate
                origin.expired = (expired, back.writes)
                origin.confirmation = nil
                origin.cause = Cause(.confirm, actor: "system", reason: expired.expiry)
            } else {
                candidate = await source.read(environment, watchingBy: schema, options.files)
            }
        } catch let rejection as Rejection {
            throw .invalid(rejection.diagnostics)
        } catch {
            throw .history(publicSentence(for: error))
        }
        do {
            let planned = try pipeline.plan(candidate, beside: nil)
            if origin.expired == nil, let held = await options.held(planned, cause: origin.cause, pipeline) {
                first = held.last
                origin.refused = Reloader<Root>.Refusal(candidate: candidate, rejection: held.rejection)
            } else {
                first = planned
            }
        } catch {
            guard options.startsFromLastGood, let good = await candidate.lastGood(in: options.recorder, schema: schema, options.files),
                let planned = try? pipeline.plan(good, beside: nil)
            else { throw .invalid(error.diagnostics) }
            first = planned
            origin.refused = Reloader<Root>.Refusal(candidate: candidate, rejection: error)
        }
        self.origin = origin
        snapshots = CurrentSnapshot(first.snapshot)
        let policy = options.policy(first.snapshot.value)
        watch = FileWatch(mode: policy.watch, pollInterval: policy.pollInterval)
    }

    // MARK: - Reading

    /// The whole settings struct, a copy; what is read from one copy belongs together.
    @inlinable public var current: Root { snapshots.read { $0 } }

    /// The running snapshot: settings with their origins, version, digest.
    public var snapshot: Snapshot<Root> { snapshots.latest }

    /// Reads without waiting and without counting references; for hot paths. What one call reads belongs together.
    @inlinable @inline(__always)
    public func read<Result, Failure: Error>(_ body: (Root) throws(Failure) -> Result) throws(Failure) -> Result {
        try snapshots.read(body)
    }

    /// A reader of one task, connection or loop; the cheapest way to read.
    public func reader() -> Reader<Root> { Reader(snapshots) }

    // MARK: - Observing

    /// Calls back after every commit, in the order of versions. Keep it short: the next commit waits for it.
    @discardableResult
    public func onChange(_ observe: @escaping @Sendable (_ old: Root, _ new: Root) -> Void) -> Observation {
        let observers = observers
        let id = observers.addCallback { publication in
            if let old = publication.old { observe(old.value, publication.new.value) }
        }
        return Observation { observers.remove(id) }
    }

    /// Calls back as reloads and changes go, refused and needless ones included, and as versions begin and end to wait. Keep it short: the next reload waits for it.
    @discardableResult
    public func onReload(_ observe: @escaping @Sendable (ReloadEvent) -> Void) -> Observation {
        let observers = observers
        let id = observers.addReloadCallback(observe)
        return Observation { observers.remove(id) }
    }

    /// The values of a section or setting: the current one, then each that a commit changes.
    public func updates<Value: Sendable>(of property: any KeyPath<Root, Value> & Sendable) -> Updates<Value> {
        let snapshots = snapshots
        return Updates(observers, path: Root.schema.path(of: property), current: { snapshots.latest }) { $0[keyPath: property] }
    }

    /// Sees every publication from now on, the current state first; for what is built on top, such as the API's events. It is
    /// called under a lock, so it may only pass on what it sees.
    package func observePublications(_ observe: @escaping @Sendable (Publication<Root>) -> Void) -> Observation {
        let (observers, snapshots) = (observers, snapshots)
        let id = observers.addFeed(seeing: { snapshots.latest }, observe)
        return Observation { observers.remove(id) }
    }

    // MARK: - Services

    /// Registers a service that follows a section: it takes part in every transaction that changes it.
    /// - Parameters:
    ///   - name: How status and plans call it; the section's name unless given.
    ///   - dependencies: The names of services that are prepared and activated before it.
    /// - Throws: ``ConfigurationError/registration(_:)``; a service can only be registered before the manager starts.
    public func register<Service: LiveService>(
        _ service: Service, for property: any KeyPath<Root, Service.Settings> & Sendable, named name: String? = nil,
        after dependencies: [String] = []
    ) throws(ConfigurationError) {
        guard let path = Root.schema.path(of: property) else {
            throw .registration("no section is declared for the property that the service follows")
        }
        try register(service, following: [path.joined(separator: ".")], named: name ?? path.joined(separator: "."), after: dependencies) {
            $0[keyPath: property]
        }
    }

    /// Registers a service that follows several sections, with what it makes of them.
    public func register<Service: LiveService>(
        _ service: Service, following sections: [String], named name: String, after dependencies: [String] = [],
        settings: @escaping @Sendable (Root) -> Service.Settings
    ) throws(ConfigurationError) {
        let problem: String? = lifetime.withLock { lifetime in
            guard case .registering(var services) = lifetime else { return "'\(name)' cannot be registered: the manager has started" }
            do {
                try services.add(ServiceRegistration(service, named: name, sections: sections, after: dependencies, settings: settings))
                lifetime = .registering(services)
                return nil
            } catch {
                return "\(error)"
            }
        }
        if let problem { throw .registration(problem) }
    }

    // MARK: - Running

    /// Brings the registered services up; ``run()`` does it too. Once is enough.
    /// - Throws: ``ConfigurationError/start(_:)`` when a service refuses; those that were up are taken down again.
    public func start() async throws(ConfigurationError) {
        let made: Running? = lifetime.withLock { lifetime in
            guard case .registering(let services) = lifetime else { return nil }
            let running = makeRunning(services)
            lifetime = .started(running)
            return running
        }
        guard let made else { return }
        do {
            let version = try await made.reloader.start(origin.cause, awaiting: origin.confirmation, takingBack: origin.expired)
            options.logger.info(
                "configuration is live", metadata: ["version": "\(version)", "environment": "\(first.candidate.environment)"])
            if origin.refused != nil {
                options.logger.critical(
                    "the files are invalid; the version that ran last runs in their place", metadata: ["version": "\(version)"])
            }
        } catch {
            // What was prepared holds ports and logins.
            await made.committer.shutDown()
            throw .start(error)
        }
    }

    private func makeRunning(_ services: ServiceSet<Root>) -> Running {
        let committer = Committer(
            services: services, recorder: options.recorder, clock: options.clock, logger: options.logger, stages: options.stages)
        let reloader = Reloader(
            first, insteadOf: origin.refused, source: source,
            pipeline: Pipeline(schema: Root.schema, model: schema, services: services, files: options.files, stages: options.stages),
            committer: committer, recorder: options.recorder, current: snapshots, observers: observers, policy: options.policy,
            review: options.review ?? { _, _ in nil },
            clock: options.clock, logger: options.logger, fingerprints: options.fingerprints)
        return Running(
            services: services, reloader: reloader, committer: committer,
            queue: ReloadQueue { cause, isForced in await reloader.reload(cause, isForced: isForced) })
    }

    var running: Running? {
        lifetime.withLock { if case .started(let running) = $0 { running } else { nil } }
    }

    /// The version that was taken back at the start, because nobody had confirmed it in time.
    package var takenBack: Confirmation? { origin.expired?.confirmation }

    /// The names of the registered services, in the order of registration.
    public var serviceNames: [String] { services.names }

    /// The registered services, whether they run yet or not.
    var services: ServiceSet<Root> {
        lifetime.withLock {
            switch $0 {
            case .registering(let services): services
            case .started(let running): running.services
            }
        }
    }

    /// Reads the sources again and takes what they say down the road.
    /// - Parameter isForced: Takes a candidate that drops most settings, or whose documents are empty, at its word.
    public func reload(_ cause: Cause = Cause(.api, actor: "system"), isForced: Bool = false) async throws(ConfigurationError)
        -> ReloadOutcome
    {
        try await start()
        guard let running else { throw .registration("the manager has not started") }
        return await running.queue.request(cause, isForced: isForced)
    }
}

extension ConfigManager.Options {
    /// The version that ran last, when what the files say now may not run without somebody's say.
    fileprivate func held(
        _ planned: Planned<Root>, cause: Cause, _ pipeline: Pipeline<Root>
    ) async -> (last: Planned<Root>, rejection: Rejection)? {
        guard let review, let good = await planned.candidate.lastGood(in: recorder, schema: pipeline.model, files),
            let last = try? pipeline.plan(good, beside: nil)
        else { return nil }
        var change = planned
        change.plan = Plan(from: last.snapshot, to: planned.snapshot, services: pipeline.services, warnings: [])
        guard let problem = review(last.snapshot.value, ProposedChange(change, cause: cause, beside: last.snapshot.version)) else {
            return nil
        }
        return (last, Rejection(phase: .plan, diagnostics: [problem]))
    }
}
