import CPlueSystem
import Foundation
import Synchronization
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

typealias Instant = ContinuousClock.Instant

/// One thread that waits for the sockets of all connections, and for the deadlines of all who wait.
///
/// Why not Dispatch: libpq opens and closes its sockets as it likes, a second one when the server declines TLS, and a dispatch
/// source must not have its descriptor closed under it. Why not NIO: a channel reads its socket itself. Here a wait is for one
/// time, and a descriptor that is gone takes what was asked for it along.
///
/// The thread starts with the reactor and ends with it.
final class Reactor: Sendable {
    /// What a socket is waited for.
    enum Interest: Sendable {
        case reading, writing, both
    }

    /// How a wait for a socket ended.
    enum Outcome: Sendable {
        /// Something can be read or written; a socket that failed or was closed can be read too.
        case ready
        case overdue
        /// The task that waits was cancelled.
        case cancelled
        /// The system does not wait for this descriptor.
        case failed
    }

    private let loop: Loop

    /// - Throws: The system's refusal, such as having no descriptor left.
    init() throws(Errno) {
        loop = try Loop()
        let loop = loop
        Thread.detachNewThread { loop.run() }
    }

    deinit { loop.stop() }

    /// Waits for a socket. Nobody else may wait for it meanwhile.
    /// - Parameter heedsCancellation: Whether a cancelled task waits no longer.
    func wait(for interest: Interest, on descriptor: Int32, until deadline: Instant, heedsCancellation: Bool = true) async -> Outcome {
        let ticket = Ticket<Outcome>()
        let token = loop.enter(Loop.Wait(deadline: deadline) { ticket.decide($0) })
        defer { loop.leave(token) }
        if !loop.arm(interest, on: descriptor, token) { return .failed }
        guard heedsCancellation else { return await ticket.answer }
        return await withTaskCancellationHandler {
            await ticket.answer
        } onCancel: {
            ticket.decide(.cancelled)
        }
    }

    /// Waits for an answer.
    /// - Parameters:
    ///   - overdue: The answer when none comes in time.
    ///   - cancelled: The answer for a cancelled task; `nil` when that waits on.
    func answer<Answer>(of ticket: Ticket<Answer>, until deadline: Instant, overdue: Answer, cancelled: Answer?) async -> Answer {
        let token = loop.enter(Loop.Wait(deadline: deadline) { _ in ticket.decide(overdue) })
        defer { loop.leave(token) }
        guard let cancelled else { return await ticket.answer }
        return await withTaskCancellationHandler {
            await ticket.answer
        } onCancel: {
            ticket.decide(cancelled)
        }
    }

    /// A pause, also of a cancelled task.
    func pause(_ duration: Duration) async {
        _ = await answer(of: Ticket<Bool>(), until: .now + duration, overdue: true, cancelled: nil)
    }
}

/// What the thread and the waiting tasks share.
private final class Loop: Sendable {
    struct Wait {
        let deadline: Instant
        let conclude: @Sendable (Reactor.Outcome) -> Void
    }

    private struct State {
        var waits: [UInt64: Wait] = [:]
        /// 0 wakes the thread and stands for nobody.
        var lastToken: UInt64 = 0
        /// When the thread looks at the deadlines next; never later than the earliest of them.
        var looksAt: Instant?
        var isStopped = false
    }

    private let queue: Int32
    /// A pipe that can always be written: asking whether it can be wakes the thread.
    private let pipe: (reading: Int32, writing: Int32)
    private let state = Mutex(State())

    init() throws(Errno) {
        queue = plue_readiness_open()
        guard queue >= 0 else { throw Errno(rawValue: errno) }
        var ends: [Int32] = [-1, -1]
        guard Self.makePipe(&ends) == 0, let reading = ends.first, let writing = ends.last else {
            let failure = Errno(rawValue: errno)
            close(queue)
            throw failure
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        pipe = (reading, writing)
    }

    deinit { for descriptor in [queue, pipe.reading, pipe.writing] { close(descriptor) } }

    private static func makePipe(_ ends: inout [Int32]) -> Int32 {
        #if canImport(Darwin)
        Darwin.pipe(&ends)
        #else
        Glibc.pipe(&ends)
        #endif
    }

    func enter(_ wait: Wait) -> UInt64 {
        let (token, wakes) = state.withLock { state in
            state.lastToken += 1
            state.waits[state.lastToken] = wait
            // Deadlines mostly come in the order in which they are set; the thread needs to know of one that does not.
            let wakes = state.looksAt.map { wait.deadline < $0 } ?? true
            if wakes { state.looksAt = wait.deadline }
            return (state.lastToken, wakes)
        }
        if wakes { wake() }
        return token
    }

    func leave(_ token: UInt64) { state.withLock { _ = $0.waits.removeValue(forKey: token) } }

    func arm(_ interest: Reactor.Interest, on descriptor: Int32, _ token: UInt64) -> Bool {
        plue_readiness_arm(queue, descriptor, interest == .writing ? 0 : 1, interest == .reading ? 0 : 1, token) == 0
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        wake()
    }

    private func wake() { plue_readiness_arm(queue, pipe.writing, 0, 1, 0) }

    func run() {
        var tokens = [UInt64](repeating: 0, count: 64)
        while let patience = nextPatience() {
            let count = plue_readiness_wait(queue, &tokens, Int32(clamping: tokens.count), patience)
            let concluded = state.withLock { state in
                tokens.prefix(max(0, Int(count))).compactMap { state.waits.removeValue(forKey: $0) }
            }
            for wait in concluded { wait.conclude(.ready) }
            endOverdue()
        }
    }

    /// For how many milliseconds nothing is due; `nil` when the thread is to end.
    private func nextPatience() -> Int32? {
        state.withLock { state in
            if state.isStopped { return nil }
            guard let looksAt = state.looksAt else { return -1 }
            let rest = ContinuousClock.now.duration(to: looksAt)
            // Rounded up: a thread that wakes too early only goes to sleep again.
            return rest <= .zero ? 0 : Int32(clamping: rest / .milliseconds(1) < 1e9 ? Int(rest / .milliseconds(1)) + 1 : 1_000_000_000)
        }
    }

    private func endOverdue() {
        let now = ContinuousClock.now
        let overdue: [Wait] = state.withLock { state in
            guard let looksAt = state.looksAt, looksAt <= now else { return [] }
            let overdue = state.waits.filter { $0.value.deadline <= now }
            for token in overdue.keys { state.waits.removeValue(forKey: token) }
            state.looksAt = state.waits.values.map(\.deadline).min()
            return Array(overdue.values)
        }
        for wait in overdue { wait.conclude(.overdue) }
    }
}
