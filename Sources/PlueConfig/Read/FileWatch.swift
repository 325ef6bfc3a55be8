import Dispatch
import Foundation
import Synchronization
public import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// Says when files may have changed: quickly through inotify, and at the latest at the next poll.
///
/// inotify misses what happens on network file systems, under bind mounts and behind some links, so it only ever makes the
/// poll earlier. One thread waits for both; idle, it wakes once per poll interval.
public final class FileWatch: Sendable {
    /// How files are watched.
    public enum Mode: String, CaseIterable, Hashable, Sendable {
        /// inotify where it works, and polling always.
        case auto
        case inotify, poll, off
    }

    /// How files are watched in fact.
    public struct Status: Hashable, Sendable {
        /// `inotify`, `poll` or `off`.
        public var mode: Mode
        /// Why it is not the better one.
        public var reason: String?
    }

    /// Files may have changed.
    public struct Change: Hashable, Sendable {
        /// What noticed it.
        public enum Detection: String, Hashable, Sendable { case inotify, poll }
        /// What noticed the change.
        public var by: Detection
    }

    /// Changes, settled; a slow consumer gets the newest only.
    public let changes: AsyncStream<Change>

    private let continuation: AsyncStream<Change>.Continuation
    private let wanted: Mutex<Wanted>
    private let seen = Mutex(Status(mode: .off, reason: "not started"))
    private let began = ContinuousClock.now
    private let wake: WakePipe?

    private struct Wanted: Sendable {
        var mode: Mode
        var pollInterval: Duration
        var paths: Set<FilePath> = []
        var generation = 0
        var isStopped = false
    }

    /// How often files are compared when nothing else tells of changes.
    static let degradedInterval: Duration = .seconds(2)

    public init(mode: Mode = .auto, pollInterval: Duration = .seconds(10)) {
        (changes, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        wanted = Mutex(Wanted(mode: mode, pollInterval: pollInterval))
        wake = WakePipe()
    }

    /// How files are watched now.
    public var status: Status { seen.withLock { $0 } }

    /// Names the files and directories that matter from now on. Those that did not before are reported as changed once they are
    /// watched, since nobody knows what became of them after they were read.
    public func watch(_ paths: Set<FilePath>) {
        let isNew = wanted.withLock { wanted in
            guard wanted.paths != paths else { return false }
            wanted.paths = paths
            wanted.generation += 1
            return true
        }
        if isNew { wake?.wake() }
    }

    /// Changes how files are watched.
    public func configure(mode: Mode, pollInterval: Duration) {
        let isNew = wanted.withLock { wanted in
            guard wanted.mode != mode || wanted.pollInterval != pollInterval else { return false }
            wanted.mode = mode
            wanted.pollInterval = pollInterval
            wanted.generation += 1
            return true
        }
        if isNew { wake?.wake() }
    }

    /// Watches until it is cancelled.
    public func run() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { done in
                // A thread of its own: it spends its life blocked, which no shared thread may.
                let thread = Thread { [self] in
                    loop()
                    done.resume()
                }
                thread.name = "plue.watch"
                thread.stackSize = 512 * 1024
                thread.start()
            }
        } onCancel: {
            wanted.withLock { $0.isStopped = true }
            wake?.wake()
        }
        continuation.finish()
    }

    // MARK: - The thread

    private func loop() {
        var generation = -1
        var current = Wanted(mode: .off, pollInterval: .seconds(10))
        var notifier: Notifier?
        var settling = WatchSettling()
        var known = Picture([])
        var nextPoll = now()
        while true {
            let latest = wanted.withLock { $0 }
            if latest.isStopped { break }
            if latest.generation != generation {
                // What changes while the watch moves from the old paths to the new ones shows in the comparison. What is watched only
                // now was read before, and may have become what it is in between: it has to be read once more.
                let paths = current.paths
                current = latest
                generation = latest.generation
                notifier = rearm(notifier, current)
                let picture = Picture(current.paths)
                let isNew = current.mode != .off && !current.paths.isSubset(of: paths)
                if isNew || picture.differs(from: known, in: paths.intersection(current.paths)) { emit(.inotify) }
                known = picture
                nextPoll = now() + interval(current)
            }
            let deadline = [settling.deadline, current.mode == .off ? nil : nextPoll].compactMap(\.self).min()
            wait(notifier, until: deadline)
            let time = now()
            for event in notifier?.events() ?? [] { settling.on(event, at: time) }
            if settling.takeDue(at: now()) {
                notifier = rearm(notifier, current)
                let picture = Picture(current.paths)
                if picture != known {
                    emit(.inotify)
                    known = picture
                }
            } else if current.mode != .off, now() >= nextPoll {
                nextPoll = now() + interval(current)
                if !settling.isWriting(at: now()), let picture = settledPicture(current.paths, differentFrom: known) {
                    notifier = rearm(notifier, current)
                    emit(.poll)
                    known = picture
                }
            }
        }
    }

    /// What the files are, when that is not what is known and has stopped changing; `nil` otherwise.
    private func settledPicture(_ paths: Set<FilePath>, differentFrom known: Picture) -> Picture? {
        let first = Picture(paths)
        guard first != known else { return nil }
        // Without events nothing says whether a writer is done; standing still for a while is the best there is.
        usleep(100_000)
        let second = Picture(paths)
        return first == second ? second : nil
    }

    private func emit(_ detection: Change.Detection) { continuation.yield(Change(by: detection)) }

    private func interval(_ wanted: Wanted) -> Duration {
        let degraded = status.mode == .poll && wanted.mode != .poll
        return degraded ? min(wanted.pollInterval, Self.degradedInterval) : wanted.pollInterval
    }

    private func rearm(_ old: Notifier?, _ wanted: Wanted) -> Notifier? {
        var status = Status(mode: .poll, reason: nil)
        var notifier: Notifier?
        switch wanted.mode {
        case .off: status = Status(mode: .off, reason: nil)
        case .poll: break
        case .auto, .inotify:
            let plan = WatchPlan(wanted.paths)
            if let reason = Notifier.reasonAgainst(plan) {
                status.reason = reason
            } else {
                switch Notifier.watching(plan, reusing: old) {
                case .success(let ready):
                    notifier = ready
                    status = Status(mode: .inotify, reason: nil)
                case .failure(let failure): status.reason = failure.reason
                }
            }
        }
        seen.withLock { $0 = status }
        return notifier
    }

    private func wait(_ notifier: Notifier?, until deadline: Duration?) {
        var descriptors: [pollfd] = []
        if let wake { descriptors.append(pollfd(fd: wake.readEnd, events: Int16(POLLIN), revents: 0)) }
        if let descriptor = notifier?.descriptor { descriptors.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)) }
        let timeout: Int32
        if let deadline {
            let left = deadline - now()
            // Rounded up, so that the wake-up does not come just before the deadline and make another one.
            let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1
            timeout = Int32(clamping: max(0, milliseconds))
        } else {
            timeout = -1
        }
        _ = poll(&descriptors, nfds_t(descriptors.count), timeout)
        wake?.drain()
    }

    private func now() -> Duration { began.duration(to: .now) }
}

/// What some files look like, without reading them.
private struct Picture: Equatable {
    private var signatures: [FilePath: FileSignature?] = [:]

    init(_ paths: Set<FilePath>) {
        for path in paths { signatures[path] = .some(FileSignature(path)) }
    }

    func differs(from other: Picture, in paths: Set<FilePath>) -> Bool {
        paths.contains { signatures[$0] != other.signatures[$0] }
    }
}

/// A pipe that ends a `poll`. Closed when the last user of the watch is gone.
private final class WakePipe: Sendable {
    let readEnd: Int32
    private let writeEnd: Int32

    init?() {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    func wake() {
        var byte: UInt8 = 1
        // A full pipe wakes as well as a fuller one.
        _ = write(writeEnd, &byte, 1)
    }

    func drain() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(readEnd, &bytes, bytes.count) > 0 {}
    }
}
