import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import PlueConfig
import PlueLedger
import ServiceLifecycle
import Synchronization
import SystemPackage

/// Tells everybody who listens what happens, each event encoded once.
///
/// | event | when | data |
/// | --- | --- | --- |
/// | `state` | first of all, and whenever how things stand changes | as `GET /v1/status` |
/// | `version` | a version becomes live | version, environment, changed, digest |
/// | `attempt` | a candidate is refused | as the status' `lastAttempt` |
/// | `confirm` | a version begins to wait, or no longer waits | waiting, and the version while it does |
/// | `end` | the stream is about to be closed | reason |
///
/// The id of a stream's events is a version. Who comes back with the last one it saw is told the versions since, out of the history, and
/// then how things stand; who was away for too long is told only that.
final class EventHub: Service {
    private let manager: ConfigManager<DaemonSettings>
    private let daemonStatus: DaemonStatus
    private let history: LedgerReader
    private let state = Mutex(State())
    private let observations = Mutex<[Observation]>([])
    /// Something happened that may change how things stand; the newest only.
    private let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation

    private struct State {
        var liveSince = Date()
        var next: UInt64 = 0
        var listeners: [UInt64: EventListener] = [:]
        var isClosed = false
    }

    /// Without a beat nobody would notice a connection that is gone before the next event.
    private static let beat = Duration.seconds(15)
    /// More versions than this are not told one by one.
    private static let mostReplayed = 100

    init(_ manager: ConfigManager<DaemonSettings>, status: DaemonStatus, history: LedgerReader) {
        self.manager = manager
        daemonStatus = status
        self.history = history
        (changes, changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let publications = manager.observePublications { [weak self] publication in
            guard let self, publication.old != nil else { return }
            state.withLock { $0.liveSince = Date() }
            send(Event(publication))
            changed.yield()
        }
        let reloads = manager.onReload { [weak self] event in
            guard let self else { return }
            switch event {
            case .ended(.rejected(let attempt)): send(Event("attempt", StatusJSON.attempt(attempt)))
            case .confirmation(let confirmation): send(Event(confirmation))
            case .ended, .hangup, .hangupAnswered: break
            }
            changed.yield()
        }
        observations.withLock { $0 = [publications, reloads] }
    }

    deinit { for observation in observations.withLock(\.self) { observation.cancel() } }

    // MARK: - Listening

    /// When the version that runs became live in this process.
    var liveSince: Date { state.withLock(\.liveSince) }

    /// How many listen.
    var listenerCount: Int { state.withLock { $0.listeners.count } }

    /// How things stand, as `GET /v1/status` tells it.
    var status: JSONValue {
        get async { await daemonStatus.json() }
    }

    /// A stream of events from now on, or from the last one that the client saw.
    /// - Parameter requester: Who listens, as long as they may.
    func response(to request: Request, of requester: Requester) -> Response {
        var response = Response(status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"])
        // Whoever asks for the head alone listens to nothing.
        guard request.method != .head else { return response }
        let last = request.headers[named: "Last-Event-ID"].flatMap { Int($0) }
        response.body = ResponseBody { [self] writer in
            guard let (id, listener) = add() else {
                try await writer.write(Event.end("the daemon stops").encoded)
                return try await writer.finish(nil)
            }
            let forget = requester.grant.onEnd { listener.end("the right to it has ended") }
            defer {
                forget()
                remove(id)
            }
            let (missed, newest) = await replay(after: last)
            for event in missed { try await writer.write(event.encoded) }
            let now = await status
            listener.begin(with: Event("state", now, version: now["version"]?.integer), after: newest)
            for await event in listener.events {
                // That it has expired is not told.
                guard requester.grant.isGood else { break }
                try await writer.write(event)
            }
            if let reason = listener.reason { try await writer.write(Event.end(reason).encoded) }
            try await writer.finish(nil)
        }
        return response
    }

    private func add() -> (id: UInt64, listener: EventListener)? {
        state.withLock { state in
            guard !state.isClosed else { return nil }
            state.next += 1
            let listener = EventListener()
            state.listeners[state.next] = listener
            return (state.next, listener)
        }
    }

    private func remove(_ id: UInt64) { state.withLock { $0.listeners[id] = nil } }

    /// The versions since the one that a client saw last, and the newest of them; none when there are too many, or when there was no
    /// such version.
    private func replay(after last: Int?) async -> (missed: [Event], newest: Int?) {
        let running = manager.snapshot.version
        guard let last, last > 0, last <= running, running - last <= Self.mostReplayed else { return ([], nil) }
        let query = HistoryQuery(limit: Self.mostReplayed, includesRejected: false, environment: manager.environment)
        guard last < running, let page = try? await history.history(query) else { return ([], running) }
        let missed = page.entries.compactMap(\.version).filter { $0.number > last && $0.number <= running }
        return (missed.reversed().map { Event($0) }, running)
    }

    // MARK: - Telling

    private func send(_ event: Event) {
        let encoded = event.encoded
        state.withLock { state in
            for (id, listener) in state.listeners where !listener.tell(encoded, version: event.version) { state.listeners[id] = nil }
        }
    }

    private func close(_ reason: String) {
        let listeners = state.withLock { state in
            state.isClosed = true
            defer { state.listeners = [:] }
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.end(reason) }
    }

    /// Tells how things stand whenever that changes, and gives a sign of life meanwhile, until the process stops.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.followState() }
                group.addTask {
                    while (try? await Task.sleep(for: Self.beat)) != nil { self.send(.beat) }
                }
                await group.waitForAll()
            }
        }
        close("the daemon stops")
    }

    private func followState() async {
        var last: JSONValue?
        for await _ in changes {
            let now = await status
            let comparable = Self.comparable(now)
            guard comparable != last else { continue }
            last = comparable
            send(Event("state", now))
        }
    }

    /// The state without what moves by itself.
    private static func comparable(_ status: JSONValue) -> JSONValue {
        var status = status
        if var confirm = status["confirm"], confirm != .null {
            confirm["remainingSeconds"] = nil
            status["confirm"] = confirm
        }
        return status
    }
}
