import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization
import Testing

@testable import PlueDaemon

/// Answers that are kept for an `Idempotency-Key`.
@Suite struct IdempotentAnswersTests {
    private final class Time: Sendable {
        let now = Mutex(ContinuousClock.now)
        func pass(_ time: Duration) { now.withLock { $0 += time } }
    }

    private func key(_ text: String, _ body: String = "", of requester: String = "unix:0") throws -> IdempotentAnswers.Key {
        let head = HTTPRequest(method: .patch, scheme: "http", authority: "plue", path: "/v1/config")
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
        return try #require(IdempotentAnswers.Key(text, of: requester, request: request, body: ByteBuffer(string: body)))
    }

    private func answered(_ text: String) -> Response { Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: text))) }

    @Test func `While a request runs the same is a conflict, and another's key another's`() async throws {
        let answers = IdempotentAnswers()
        let (gate, open) = AsyncStream<Void>.makeStream()
        let first = try key("k")
        let (begun, begin) = AsyncStream<Void>.makeStream()
        async let running = answers.answer(first) {
            begin.yield()
            for await _ in gate { break }
            return Response(status: .ok)
        }
        for await _ in begun { break }
        var status: HTTPResponse.Status?
        do { _ = try await answers.answer(try key("k")) { Response(status: .ok) } } catch let problem as Problem { status = problem.status }
        #expect(status == .conflict)
        await #expect(throws: Problem.self) { try await answers.answer(try self.key("k", "other")) { Response(status: .ok) } }
        #expect(try await answers.answer(try key("k", of: "unix:1")) { Response(status: .accepted) }.status == .accepted)
        open.yield()
        #expect(try await running.status == .ok)
    }

    @Test func `A refusal is kept like an answer, but not one that may pass`() async throws {
        let answers = IdempotentAnswers()
        await #expect(throws: Problem.self) { try await answers.answer(try self.key("a")) { throw Problem(.conflict, "no") } }
        #expect(try await answers.answer(try key("a")) { Response(status: .ok) }.status == .conflict)
        await #expect(throws: Problem.self) { try await answers.answer(try self.key("b")) { throw Problem(.serviceUnavailable, "later") } }
        #expect(try await answers.answer(try key("b")) { Response(status: .ok) }.status == .ok)
        await #expect(throws: CancellationError.self) { try await answers.answer(try self.key("c")) { throw CancellationError() } }
        #expect(try await answers.answer(try key("c")) { Response(status: .ok) }.status == .ok)
    }

    @Test func `An answer is kept for a day, and in bounded room`() async throws {
        let time = Time()
        let answers = IdempotentAnswers { time.now.withLock(\.self) }
        let made = Mutex(0)
        func ask(_ text: String, _ size: Int = 1) async throws {
            _ = try await answers.answer(try key(text)) {
                made.withLock { $0 += 1 }
                return self.answered(String(repeating: "x", count: size))
            }
        }
        try await ask("a")
        time.pass(.seconds(86_399))
        try await ask("a")
        #expect(made.withLock(\.self) == 1)
        time.pass(.seconds(2))
        try await ask("a")
        #expect(made.withLock(\.self) == 2)
        for number in 0..<20 { try await ask("large-\(number)", 1_000_000) }
        try await ask("a")
        #expect(made.withLock(\.self) == 23, "the oldest made room")
        for number in 0..<1001 { try await ask("small-\(number)") }
        try await ask("small-0")
        #expect(made.withLock(\.self) == 23 + 1001 + 1)
        for text in ["", "two words", String(repeating: "x", count: 256), "é"] {
            let request = Request(
                head: HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/"), body: RequestBody(buffer: ByteBuffer()))
            #expect(IdempotentAnswers.Key(text, of: "", request: request, body: ByteBuffer()) == nil)
        }
    }
}
