import Synchronization

/// What happened, in order, told by everyone who takes part in a test; a test waits for an entry instead of for a time.
final class Journal: Sendable {
    private struct State {
        var entries: [String] = []
        var waiting: [(id: Int, isMet: @Sendable ([String]) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
        var nextID = 0
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

    /// Returns early when the test is out of time, so that what it expects next fails instead of hanging.
    func wait(until isMet: @escaping @Sendable ([String]) -> Bool) async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if Task.isCancelled || isMet(state.entries) { return true }
                    state.waiting.append((id, isMet, continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0).continuation }
            }
            continuation?.resume()
        }
    }
}
