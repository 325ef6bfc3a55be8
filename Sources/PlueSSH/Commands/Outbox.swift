import Synchronization

/// What a command has written and the loop has not sent yet: bounded, so a writer waits for a client that reads slowly.
final class Outbox: Sendable {
    typealias Stream = SSHOutput.Stream

    struct Chunk: Equatable, Sendable {
        let stream: Stream
        var bytes: [UInt8]
    }

    private struct State {
        var chunks: [Chunk] = []
        var size = 0
        var isClosed = false
        /// The loop was told, and has not looked since.
        var isAnnounced = false
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let state = Mutex(State())
    private let announce: @Sendable () -> Void

    /// The most that waits to be sent, in bytes.
    static let capacity = 128 * 1024

    /// - Parameter announce: Tells the loop that there is something; called once until it has looked.
    init(announce: @escaping @Sendable () -> Void) { self.announce = announce }

    // MARK: - The command's side

    func write(_ bytes: [UInt8], to stream: Stream) async throws {
        var rest = bytes[...]
        repeat {
            try Task.checkCancellation()
            let (isClosed, isNews) = state.withLock { state in
                if state.isClosed { return (true, false) }
                let part = rest.prefix(Self.capacity - state.size)
                rest = rest.dropFirst(part.count)
                guard !part.isEmpty else { return (false, false) }
                if let last = state.chunks.indices.last, state.chunks[last].stream == stream {
                    state.chunks[last].bytes += part
                } else {
                    state.chunks.append(Chunk(stream: stream, bytes: Array(part)))
                }
                state.size += part.count
                defer { state.isAnnounced = true }
                return (false, !state.isAnnounced)
            }
            if isClosed { throw SSHOutput.Closed() }
            if isNews { announce() }
            if !rest.isEmpty { await waitForRoom() }
        } while !rest.isEmpty
    }

    private func waitForRoom() async {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.isClosed || state.size < Self.capacity || Task.isCancelled { return true }
                    state.waiting[id] = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }

    // MARK: - The loop's side

    /// The next bytes to send, of one stream; `nil` when there are none.
    func take(_ most: Int) -> Chunk? {
        let (chunk, waiting): (Chunk?, [CheckedContinuation<Void, Never>]) = state.withLock { state in
            state.isAnnounced = false
            guard var first = state.chunks.first else { return (nil, []) }
            let part = Array(first.bytes.prefix(most))
            if part.count == first.bytes.count {
                state.chunks.removeFirst()
            } else {
                first.bytes.removeFirst(part.count)
                state.chunks[0] = first
            }
            state.size -= part.count
            // Writers that wake for every byte would do little else.
            guard state.size <= Self.capacity / 2 else { return (Chunk(stream: first.stream, bytes: part), []) }
            defer { state.waiting = [:] }
            return (Chunk(stream: first.stream, bytes: part), Array(state.waiting.values))
        }
        for writer in waiting { writer.resume() }
        return chunk
    }

    /// Takes nothing more; what is in it can still be taken out.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for writer in waiting { writer.resume() }
    }
}
