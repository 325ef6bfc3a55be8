import Foundation
import Metrics
public import ServiceLifecycle
import SystemPackage
import UnixSignals

/// Following the sources: file changes and SIGHUP become reloads, one after another.
extension ConfigManager: Service {
    /// Brings the services up and follows the sources until a graceful shutdown or cancellation, then takes the services down.
    ///
    /// A bad configuration is never a reason to return or throw: what ran goes on, and status and log say what is wrong.
    /// - Throws: ``ConfigurationError/start(_:)`` when a service cannot be brought up in the first place.
    public func run() async throws {
        try await start()
        guard let running else { return }
        // Draining is no part of following: it ends by itself, after the last connection, where following is cut short.
        async let drained: Void = running.committer.run()
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watch.run() }
            group.addTask { await self.followFiles(running) }
            if let hangups {
                group.addTask {
                    for await _ in hangups {
                        self.observers.tell(.hangup)
                        let outcome = await running.queue.request(Cause(.signal, actor: "signal"))
                        self.observers.tell(.hangupAnswered(outcome))
                    }
                }
            }
            group.addTask { await self.retryRefused(running) }
            group.addTask { await self.takeBackUnconfirmed(running) }
            try? await gracefulShutdown()
            group.cancelAll()
        }
        await running.committer.shutDown()
        await drained
    }

    private func followFiles(_ running: Running) async {
        // There from the start: a counter that first shows itself at 1 has not increased, for an alert.
        await running.reloader.countNothing()
        for means in [FileWatch.Change.Detection.inotify, .poll] { count(means, 0) }
        watch.watch(watchedPaths(for: await running.reloader.latestCandidate))
        // What changed between the first read and the watch is found by reading once more.
        _ = await running.queue.request(Cause(.file, actor: "file"))
        for await change in watch.changes {
            count(change.by, 1)
            _ = await running.queue.request(Cause(.file, actor: "file"))
            let policy = options.policy(snapshots.latest.value)
            watch.configure(mode: policy.watch, pollInterval: policy.pollInterval)
            watch.watch(watchedPaths(for: await running.reloader.latestCandidate))
        }
    }

    private func count(_ means: FileWatch.Change.Detection, _ changes: Int64) {
        Counter(label: "plue_change_detected_total", dimensions: [("by", means.rawValue)], factory: options.metrics).increment(by: changes)
    }

    private func watchedPaths(for candidate: Candidate) -> Set<FilePath> {
        source.watchedPaths(for: candidate).union(candidate.watchedFiles.keys)
    }

    /// Waits for the deadline of whatever waits to be confirmed, and takes it back then.
    private func takeBackUnconfirmed(_ running: Running) async {
        for await confirmation in running.reloader.confirmations {
            guard let confirmation else { continue }
            await takeBack(confirmation, running)
        }
    }

    private func takeBack(_ confirmation: Confirmation, _ running: Running) async {
        var (retry, pause) = (Duration.zero, Duration.seconds(1))
        while await running.reloader.confirmation == confirmation {
            // By the wall's clock, in short steps: it may be set, and the version confirmed, while this waits.
            let wait = max(retry, .seconds(confirmation.deadline.timeIntervalSinceNow))
            do { try await options.clock.sleep(for: min(max(wait, .milliseconds(1)), .seconds(1))) } catch { return }
            retry -= min(retry, .seconds(1))
            guard retry <= .zero, confirmation.deadline <= Date() else { continue }
            _ = await running.queue.perform { [reloader = running.reloader] in
                await reloader.takeBackUnconfirmed(at: Date())
            }
            (retry, pause) = (pause, min(pause * 2, .seconds(60)))
        }
    }

    /// Tries a candidate again that a service refused: the port that was taken may be free by now.
    private func retryRefused(_ running: Running) async {
        var pause = Duration.seconds(1)
        for await _ in running.reloader.refusals {
            do { try await options.clock.sleep(for: pause) } catch { return }
            guard await running.reloader.awaitsRetry else {
                pause = .seconds(1)
                continue
            }
            pause = min(pause * 2, .seconds(60))
            _ = await running.queue.request(Cause(.file, actor: "system", reason: "tried again"))
        }
    }
}
