import Synchronization

/// What happened, in order, told by everyone who takes part in a test; a test waits for an entry instead of for a time.
final class Journal: Sendable {
    private struct State {
        var entries: [String] = []
        var waiting: [(isMet: @Sendable ([String]) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var entries: [String] { state.withLock(\.entries) }

    /// Those that begin with the word.
    func entries(_ word: String) -> [String] { entries.filter { $0.hasPrefix(word + " ") } }

    func clear() { state.withLock { $0.entries = [] } }

    func add(_ entry: String) {
        let met = state.withLock { state in
            state.entries.append(entry)
            let entries = state.entries
            let met = state.waiting.filter { $0.isMet(entries) }
            state.waiting.removeAll { $0.isMet(entries) }
            return met
        }
        for waiter in met { waiter.continuation.resume() }
    }

    func wait(for entry: String) async { await wait { $0.contains(entry) } }

    func wait(until isMet: @escaping @Sendable ([String]) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isMetAlready = state.withLock { state in
                if isMet(state.entries) { return true }
                state.waiting.append((isMet, continuation))
                return false
            }
            if isMetAlready { continuation.resume() }
        }
    }
}

/// Holds whoever comes until it is opened.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Waits until the gate opens, whatever happens to the task.
    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen {
                    state.waiting[state.next] = continuation
                    state.next += 1
                }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    /// Waits until the gate opens or the task is cancelled.
    func passUnlessCancelled() async throws {
        let own = Gate()
        let turnstile = Task {
            await pass()
            own.open()
        }
        await withTaskCancellationHandler { await own.pass() } onCancel: { own.open() }
        _ = turnstile
        try Task.checkCancellation()
    }
}
