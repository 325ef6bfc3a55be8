public import Logging
public import PlueConfig
import Synchronization

/// A program of its own, such as nginx or sshd, whose configuration file is rendered from the settings.
///
/// | phase | what happens |
/// | --- | --- |
/// | prepare | the template is rendered into a hidden file beside the output, the daemon's own check looks at that, and addresses that the daemon does not have yet are bound for a moment |
/// | activate | the instance is marked, no more: what follows can fail |
/// | verify | the file takes its place by a rename, the daemon is told to read it, and has to be up, and stay so |
/// | verify, on the way back | the former file takes its place again, the daemon is told to read it, and is started if it is down |
/// | retire | the hidden files go |
///
/// Until a change is decided, the former file stays beside the new one under a second name. When the process ends in between, the
/// next start finds it, has the daemon read what the settings say, and goes back to that file if it will not.
///
/// Secrets reach the rendered file and nothing else: they are taken out of what the commands say before it is shown. The daemon
/// itself is nobody's child here: it goes on when this process ends.
public final class ExternalDaemon: LiveService {
    private let name: String
    private let logger: Logger
    private let work = SerialWork()
    private let state = Mutex(State())

    private struct State {
        /// What was activated last.
        var live: Instance?
        /// Whose file is in place, read by the daemon; `nil` when nobody knows.
        var followed: String?
        var change: Change?
    }

    /// A change that is under way, or done and not decided yet.
    private struct Change: Sendable {
        let former: OutputFile.Former
        /// Whose file the former is; `nil` for one that was found at the start.
        let owner: String?
        /// Whose file came in its place.
        var tried: Instance
        /// Whether the daemon may have read that.
        var mayBeRead = false
    }

    /// - Parameter name: What logs call the daemon.
    public init(named name: String, logger: Logger) {
        self.name = name
        var logger = logger
        logger[metadataKey: "daemon"] = "\(name)"
        self.logger = logger
    }

    // MARK: - LiveService

    public func prepare(_ settings: Settings, beside live: Instance?) async throws -> Instance {
        if let problem = settings.contradiction { throw ServiceRefusal(problem) }
        if let live, live.settings.output != settings.output {
            throw ServiceRefusal("the output moves from \(live.settings.output) to \(settings.output), which needs a restart")
        }
        let instance = try await offPool { Result { () throws(ServiceRefusal) in try Instance(settings, beside: live) } }.get()
        do throws(ServiceRefusal) {
            try await instance.check()
            try await settings.bindNewAddresses(beside: live?.settings)
        } catch {
            await offPool { instance.file.remove(instance.token, candidateOnly: true) }
            throw error
        }
        return instance
    }

    public func activate(_ next: Instance) async -> Instance? {
        state.withLock { state in
            defer { state.live = next }
            return state.live
        }
    }

    public func verify(_ live: Instance) async throws {
        try await work.run { try await self.bring(live) }
    }

    public func retire(_ instance: Instance) async {
        // At the end of the process the daemon goes on, and an unfinished change is for the next start to find.
        let isLive = state.withLock { $0.live?.token == instance.token }
        await offPool { instance.file.remove(instance.token, candidateOnly: isLive) }
    }

    public func action(from old: Settings, to new: Settings) -> ServiceAction {
        old.action(to: new, renderedBy: state.withLock { $0.live?.template })
    }

    public func verification(of settings: Settings) -> String { settings.verification }

    // MARK: - Verify

    /// Brings the daemon to the instance's file, from wherever it is.
    private func bring(_ instance: Instance) async throws(ServiceRefusal) {
        let (live, followed, change) = state.withLock { ($0.live, $0.followed, $0.change) }
        // A phase that was left behind at its deadline comes to its turn after the way back has begun.
        guard live?.token == instance.token else { throw ServiceRefusal("another change has taken over") }
        if followed == instance.token { return try await keepUp(instance) }
        if let change, change.owner == instance.token {
            // Whoever waits may give up; the daemon is not left with half of a change.
            if let problem = await shielded({ [self] in await goBack(to: instance, from: change) }) { throw ServiceRefusal(problem) }
            return
        }
        guard !Task.isCancelled else { throw ServiceRefusal("the change was given up") }
        try await goForward(to: instance, followed: followed, unfinished: change)
    }

    private func goForward(to instance: Instance, followed: String?, unfinished: Change?) async throws(ServiceRefusal) {
        let file = instance.file
        let (found, leftover) = try await offPool {
            Result { () throws(ServiceRefusal) in (try file.found(), instance.isFirst ? file.unfinished() : nil) }
        }.get()
        let isSame = found.map { instance.rendering.isSame(as: $0.content) && $0.mode == instance.mode } ?? false
        if isSame, leftover == nil, followed != nil || instance.isFirst {
            await offPool { file.remove(instance.token, candidateOnly: true) }
            state.withLock { $0.followed = instance.token }
            return try await keepUp(instance)
        }
        let change = try await offPool {
            Result { () throws(ServiceRefusal) in
                // The file of an unfinished change was never proven; what was there before it was.
                if let leftover { return Change(former: leftover, owner: nil, tried: instance) }
                if followed == nil, let unfinished { return Change(former: unfinished.former, owner: unfinished.owner, tried: instance) }
                if let unfinished { file.forget(unfinished.former) }
                return Change(former: try file.keep(followed ?? instance.token), owner: followed, tried: instance)
            }
        }.get()
        let mayBeDown = await mayBeDown(before: instance)
        state.withLock { ($0.followed, $0.change) = (nil, change) }
        do throws(ServiceRefusal) {
            try await install(instance)
            try await reloadAndLook(instance, mayBeDown: mayBeDown)
        } catch {
            // Somebody else calls for the way back, unless there is nothing in this process to go back to.
            guard instance.isFirst else { throw error }
            let problem = await shielded { [self] in await goBackToWhatWasFound() }
            throw ServiceRefusal("\(error.message); \(problem ?? "the file that was there before is back")")
        }
        state.withLock { state in
            state.followed = instance.token
            if instance.isFirst { state.change = nil }
        }
        // Whether the other services of a first start come up makes no difference to it: this process has no settings to go back to.
        if instance.isFirst { await offPool { file.forget(change.former) } }
    }

    private func install(_ instance: Instance) async throws(ServiceRefusal) {
        try await offPool { Result { () throws(ServiceRefusal) in try instance.install() } }.get()
    }

    private func mayBeDown(before instance: Instance) async -> Bool {
        if instance.signsBefore.isEmpty { return instance.isFirst }
        return await instance.signsBefore.wait(within: .zero, heldFor: .zero) != nil
    }

    /// - Parameter mayBeDown: The daemon was not up before, so when a reload does not help, a start may. One that was up and does
    ///   not live through its reload has to have its former file back instead.
    private func reloadAndLook(_ instance: Instance, mayBeDown: Bool) async throws(ServiceRefusal) {
        guard !Task.isCancelled else { throw ServiceRefusal("the change was given up") }
        var problem = await reload(instance, instance.redaction)
        if problem == nil { problem = await look(at: instance, settling: true) }
        if problem != nil, mayBeDown, !instance.settings.start.isEmpty, !Task.isCancelled { problem = await start(instance) }
        if let problem { throw ServiceRefusal(problem) }
    }

    /// The way back: the former file, the daemon told to read it, and brought up if it is down.
    /// - Returns: What is not as it was.
    private func goBack(to instance: Instance, from change: Change) async -> String? {
        let file = instance.file
        let isBack = await offPool {
            Result { () throws(ServiceRefusal) in
                if case .file = change.former, try file.putBack(change.former, instance.token) { return }
                try instance.install()
            }
        }
        if case .failure(let refusal) = isBack { return refusal.message }
        var problems: [String] = []
        // A daemon that was told nothing knows nothing of the change.
        if change.mayBeRead, let problem = await reload(instance, instance.redaction.adding(change.tried.rendering.redaction)) {
            problems = [problem]
        }
        let isDown = await look(at: instance, settling: change.mayBeRead)
        // Of a daemon that nobody can look at, a reload that fails is the only sign that it is down.
        let maybeDown = isDown != nil || !problems.isEmpty && instance.settings.vitalSigns.isEmpty
        if maybeDown, !instance.settings.start.isEmpty {
            problems = await start(instance).map { [$0] } ?? []
        } else {
            problems += isDown.map { [$0] } ?? []
        }
        guard problems.isEmpty else { return "the former file is back, but \(problems.joined(separator: "; "))" }
        state.withLock { ($0.followed, $0.change) = (instance.token, nil) }
        await offPool { file.forget(change.former) }
        return nil
    }

    /// The way back of a first start: to what was found, whatever daemon that was for.
    /// - Returns: What could not be undone.
    private func goBackToWhatWasFound() async -> String? {
        guard let change = state.withLock(\.change) else { return nil }
        let (instance, file) = (change.tried, change.tried.file)
        let isBack = await offPool { Result { () throws(ServiceRefusal) in try file.putBack(change.former, instance.token) } }
        switch isBack {
        case .failure(let error): return error.message
        case .success(false): return "the file that was there before is gone"
        case .success(true): break
        }
        if case .file = change.former, change.mayBeRead {
            // Its addresses are those of a file that is nobody's here: only its process can be looked at.
            let (signs, timeouts) = (instance.signsBefore, instance.settings.timeouts)
            var problem = await reload(instance, instance.redaction)
            if problem == nil { problem = await signs.wait(within: timeouts.probe, heldFor: timeouts.settling) }
            if problem != nil, !instance.settings.start.isEmpty { problem = await start(instance, until: signs) }
            if let problem { return "the file that was there before is back, but \(problem)" }
        }
        state.withLock { $0.change = nil }
        await offPool { file.forget(change.former) }
        return nil
    }

    /// Looks whether a daemon that has read its file is up, and brings it up if it is not.
    private func keepUp(_ instance: Instance) async throws(ServiceRefusal) {
        guard let problem = await look(at: instance, settling: false) else { return }
        if instance.settings.start.isEmpty { throw ServiceRefusal(problem) }
        if let failure = await start(instance) { throw ServiceRefusal("\(problem); \(failure)") }
    }

    // MARK: - The daemon

    /// - Returns: What went wrong; `nil` when nothing did.
    private func reload(_ instance: Instance, _ redaction: Redaction) async -> String? {
        let (settings, limit) = (instance.settings, instance.settings.timeouts.reload)
        guard let command = Command(settings.reload, filling: ["{output}": settings.output]) else {
            // It notices by itself, and may have done so.
            state.withLock { $0.change?.mayBeRead = true }
            return nil
        }
        let outcome = await command.run(within: limit)
        if case .notStarted = outcome.ending {} else { state.withLock { $0.change?.mayBeRead = true } }
        return outcome.problem(of: "reload (\(command.name))", within: limit, redaction)
    }

    /// Brings the daemon up.
    /// - Returns: Why it is still down; `nil` when it is up, and also when nothing can bring it up.
    private func start(_ instance: Instance, until signs: VitalSigns? = nil) async -> String? {
        let (settings, limit) = (instance.settings, instance.settings.timeouts.start)
        guard let command = Command(settings.start, filling: ["{output}": settings.output]) else { return nil }
        logger.warning("the daemon is down; it is started", metadata: ["command": "\(command.name)"])
        let outcome = await command.run(within: limit)
        if let problem = outcome.problem(of: "start (\(command.name))", within: limit, instance.redaction) { return problem }
        let signs = signs ?? settings.vitalSigns
        return await signs.wait(within: settings.timeouts.probe, heldFor: settings.timeouts.settling)
    }

    private func look(at instance: Instance, settling: Bool) async -> String? {
        let timeouts = instance.settings.timeouts
        return await instance.settings.vitalSigns.wait(within: timeouts.probe, heldFor: settling ? timeouts.settling : .zero)
    }
}
