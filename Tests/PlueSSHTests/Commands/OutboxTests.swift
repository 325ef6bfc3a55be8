import Synchronization
import TestGround
import Testing

@testable import PlueSSH

@Suite("What a command has written and nobody has taken", .timeLimit(.minutes(1)))
struct OutboxTests {
    @Test("bytes come out in order, what belongs together together, and the loop is told once")
    func order() async throws {
        let told = Atomic<Int>(0)
        let outbox = Outbox { told.add(1, ordering: .relaxed) }
        try await outbox.write(Array("ab".utf8), to: .standardOutput)
        try await outbox.write(Array("cd".utf8), to: .standardOutput)
        try await outbox.write(Array("ef".utf8), to: .standardError)
        try await outbox.write([], to: .standardOutput)
        #expect(told.load(ordering: .relaxed) == 1)
        #expect(outbox.take(3) == .init(stream: .standardOutput, bytes: Array("abc".utf8)))
        #expect(outbox.take(3) == .init(stream: .standardOutput, bytes: Array("d".utf8)))
        try await outbox.write(Array("gh".utf8), to: .standardOutput)
        #expect(told.load(ordering: .relaxed) == 2)
        #expect(outbox.take(3) == .init(stream: .standardError, bytes: Array("ef".utf8)))
        #expect(outbox.take(3) == .init(stream: .standardOutput, bytes: Array("gh".utf8)))
        #expect(outbox.take(3) == nil)
    }

    @Test("a writer waits until there is room, and everything arrives")
    func waits() async throws {
        let outbox = Outbox {}
        let size = Outbox.capacity * 5 + 3
        async let written: Void = outbox.write((0..<size).map { UInt8(truncatingIfNeeded: $0 % 251) }, to: .standardOutput)
        var taken: [UInt8] = []
        while taken.count < size {
            if let chunk = outbox.take(10_000) { taken += chunk.bytes } else { await Task.yield() }
        }
        try await written
        #expect(taken == (0..<size).map { UInt8(truncatingIfNeeded: $0 % 251) })
    }

    @Test("closing lets a waiting writer go, and the next at once; what is in it can be taken")
    func closes() async throws {
        let outbox = Outbox {}
        let full = [UInt8](repeating: 1, count: Outbox.capacity + 1)
        let waiting = Task { try await outbox.write(full, to: .standardOutput) }
        try await eventually("it is full") { outbox.take(0)?.bytes == [] }
        outbox.close()
        await #expect(throws: SSHOutput.Closed.self) { try await waiting.value }
        await #expect(throws: SSHOutput.Closed.self) { try await outbox.write([1], to: .standardOutput) }
        #expect(outbox.take(.max)?.bytes.count == Outbox.capacity)
    }

    @Test("a writer that is cancelled waits no longer")
    func cancelled() async throws {
        let outbox = Outbox {}
        let writer = Task { try await outbox.write([UInt8](repeating: 1, count: Outbox.capacity + 1), to: .standardOutput) }
        writer.cancel()
        await #expect(throws: CancellationError.self) { try await writer.value }
    }
}
