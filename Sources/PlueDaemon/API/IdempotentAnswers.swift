import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// The answers to changes that carry an `Idempotency-Key`, so that one that is sent again is answered again and not made again.
///
/// Kept for a day in memory, in bounded room, and for each requester apart: a restart forgets them, and a change that was made before it
/// shows in the version that `If-Match` demands.
actor IdempotentAnswers {
    private enum Entry {
        case running(request: SHA256Digest)
        case answered(request: SHA256Digest, answer: Response, size: Int, at: ContinuousClock.Instant)
    }

    private var entries: [String: Entry] = [:]
    /// The answered ones, oldest first.
    private var order: [String] = []
    private var size = 0
    private let now: @Sendable () -> ContinuousClock.Instant

    private static let lifetime = Duration.seconds(86_400)
    private static let most = (answers: 1000, bytes: 8 * 1_048_576)
    /// An answer that is larger is not kept.
    private static let largest = 1_048_576

    init(now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) { self.now = now }

    /// A key that a request brought.
    struct Key: Sendable {
        fileprivate let name: String
        fileprivate let request: SHA256Digest

        /// - Parameters:
        ///   - text: The header; `nil` for text that is not 1 to 255 visible ASCII characters.
        ///   - requester: Who asks: nobody is answered with what another did.
        init?(_ text: String, of requester: String, request: Request, body: ByteBuffer) {
            guard (1...255).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
            name = "\(requester)\n\(text)"
            var hash = SHA256()
            let parts = [
                request.method.rawValue, request.uri.description, request.headers[.contentType] ?? "", request.headers[.ifMatch] ?? "",
            ]
            // Each behind its length: two requests are never one text.
            for part in parts { hash.update(data: Array("\(part.utf8.count):\(part)".utf8)) }
            hash.update(data: Array(body.readableBytesView))
            self.request = hash.finalize()
        }
    }

    /// Has the work done, or gives the answer that it had before.
    /// - Throws: 409 while the same request runs, 422 when the key was another request's; what the work throws, which is kept no less.
    func answer(_ key: Key, _ work: @concurrent @Sendable () async throws -> Response) async throws -> Response {
        forgetOld()
        switch entries[key.name] {
        case .running(let request)?:
            throw request == key.request
                ? Problem(.conflict, "a request with this Idempotency-Key is under way")
                : Problem(.unprocessableContent, "this Idempotency-Key is another request's")
        case .answered(let request, let answer, _, _)?:
            guard request == key.request else { throw Problem(.unprocessableContent, "this Idempotency-Key is another request's") }
            var answer = answer
            answer.headers[named: "Idempotent-Replayed"] = "true"
            return answer
        case nil: break
        }
        entries[key.name] = .running(request: key.request)
        do {
            let response = try await work()
            keep(response, for: key)
            return response
        } catch let problem as Problem {
            // What may be otherwise the next time is no answer to keep.
            let isPassing = [.tooManyRequests, .serviceUnavailable, .unauthorized, .forbidden].contains(problem.status)
            isPassing ? forget(key) : keep(problem.response, for: key)
            throw problem
        } catch {
            forget(key)
            throw error
        }
    }

    private func forget(_ key: Key) { entries[key.name] = nil }

    private func keep(_ answer: Response, for key: Key) {
        guard let length = answer.body.contentLength, length <= Self.largest else { return forget(key) }
        entries[key.name] = .answered(request: key.request, answer: answer, size: length, at: now())
        order.append(key.name)
        size += length
        while order.count > Self.most.answers || size > Self.most.bytes { dropOldest() }
    }

    private func forgetOld() {
        while let first = order.first, case .answered(_, _, _, let at)? = entries[first], at.duration(to: now()) > Self.lifetime {
            dropOldest()
        }
    }

    private func dropOldest() {
        let name = order.removeFirst()
        if case .answered(_, _, let length, _)? = entries.removeValue(forKey: name) { size -= length }
    }
}

extension HTTPFields {
    /// The value of a field that HTTPTypes has no name for; `nil` when it is not there.
    subscript(named name: String) -> String? {
        get { HTTPField.Name(name).flatMap { self[$0] } }
        set { if let name = HTTPField.Name(name) { self[name] = newValue } }
    }
}
