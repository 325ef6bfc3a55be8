import CLibSSH
import CPlueSystem
import Foundation
import Logging
import PlueConfig
import Synchronization
import SystemPackage

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// The one thread that libssh lives on, and how others have work done there.
///
/// It runs as long as an instance claims it or a client is connected, and ends by itself.
final class LoopThread: Sendable {
    typealias Work = @Sendable (Loop) -> Void

    private struct State {
        var inbox: [Work] = []
        /// The end of the pipe that wakes the loop; `nil` while no thread runs.
        var waker: Int32?
        var claims: Set<UInt64> = []

        /// A full pipe wakes as well.
        func wake() {
            guard let waker else { return }
            var byte: UInt8 = 0
            _ = write(waker, &byte, 1)
        }
    }

    private let state = Mutex(State())
    private let surroundings: Loop.Surroundings
    /// How many clients are logged in, and how many are not, or not yet.
    let loggedIn = Atomic<Int>(0)
    let halfOpen = Atomic<Int>(0)
    let isRunning = Atomic<Bool>(false)

    static let name = "plue-ssh"

    init(_ surroundings: Loop.Surroundings) { self.surroundings = surroundings }

    /// Keeps the thread running until the claim is released, and starts it when it does not run.
    func claim(_ number: UInt64) throws(ServiceRefusal) {
        let start: Result<Int32?, Errno> = state.withLock { state in
            if state.waker == nil {
                var ends: [Int32] = [-1, -1]
                guard plue_pipe(&ends) == 0 else { return .failure(Errno(rawValue: errno)) }
                state.waker = ends[1]
                state.claims.insert(number)
                return .success(ends[0])
            }
            state.claims.insert(number)
            return .success(nil)
        }
        switch start {
        case .failure(let error): throw ServiceRefusal("the SSH server's thread cannot be started: \(error)")
        case .success(let wakeUps?): run(wakeUps)
        case .success(nil): break
        }
    }

    /// Harmless when there is no such claim.
    func release(_ number: UInt64) {
        state.withLock { state in
            state.claims.remove(number)
            state.wake()
        }
    }

    /// Has the work done by the loop, soon.
    /// - Returns: False when no thread runs; the work is not done then.
    @discardableResult
    func perform(_ work: @escaping Work) -> Bool {
        state.withLock { state in
            guard state.waker != nil else { return false }
            state.inbox.append(work)
            state.wake()
            return true
        }
    }

    /// Has the work done by the loop, and waits for it, if a thread runs.
    func performed(_ work: @escaping Work) async {
        await withCheckedContinuation { continuation in
            let isPosted = perform { loop in
                work(loop)
                continuation.resume()
            }
            if !isPosted { continuation.resume() }
        }
    }

    // MARK: - The thread's side

    private func run(_ wakeUps: Int32) {
        let thread = Thread { [self] in
            Thread.current.name = Self.name
            isRunning.store(true, ordering: .releasing)
            Loop(on: self, wakeUps: wakeUps, surroundings).run()
            close(wakeUps)
            isRunning.store(false, ordering: .releasing)
        }
        // libssh handles the packets of one read in a recursion; with what it reads at a time, that takes a small part of this.
        thread.stackSize = 4 * 1_048_576
        thread.start()
    }

    /// What others want done. `nil` when nobody can want anything any more: the thread ends with this answer.
    /// - Parameter isIdle: Whether the loop itself has nothing to do.
    func takeWork(isIdle: Bool) -> [Work]? {
        state.withLock { state in
            if isIdle, state.inbox.isEmpty, state.claims.isEmpty, let waker = state.waker {
                close(waker)
                state.waker = nil
                return nil
            }
            defer { state.inbox = [] }
            return state.inbox
        }
    }
}
