import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// From a request on a connection to its response, within the limits.
struct Responding: Sendable {
    let respond: Listener.Respond
    let terms: TermsBox
    let connections: Connections
    let deadlines = Deadlines()
    let logger: Logger

    /// How a new connection is served.
    func channel(_ terms: Terms) -> HTTP1Channel {
        let limits = terms.limits
        let security = ConnectionSecurity(terms.identity)
        return HTTP1Channel(
            responder: { request, writer, channel in try await self.answer(request, writer, channel, security) },
            configuration: .init(
                additionalChannelHandlers: [OversizedHeaders(), RepeatedAnswers(date: Self.date)],
                idleTimeout: TimeAmount(limits.idleTimeout),
                httpDecoderConfiguration: .init(maxHeaderFieldSize: limits.maxHeaderSize, maxHeaderListSize: limits.maxHeaderSize)))
    }

    @concurrent
    private func answer(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel, _ security: ConnectionSecurity
    ) async throws {
        let terms = terms.value
        let limits = terms.limits
        var response: Response
        var repeatable: RepeatableAnswer.Held?
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limits.maxBodySize {
            response = .problem(.contentTooLarge, "the body is larger than \(limits.maxBodySize) bytes", isLast: true)
        } else {
            var request = request
            // A body that does not say its size is counted as it comes.
            if request.headers[.transferEncoding] != nil {
                request.body = RequestBody(asyncSequence: LimitedBody(body: request.body, limit: limits.maxBodySize))
            }
            let source = RequestSource(
                logger: logger, peer: await peer(of: channel), isSecure: security.isSecure,
                certificate: await security.certificate(of: channel, under: terms), maxBodySize: limits.maxBodySize)
            response = try await respond(to: request, source, limits, on: channel.eventLoop)
            repeatable = source.repeatable.take()
        }
        response.headers[.date] = Self.date()
        // Whoever is connected by a scheme that is no longer served is told so with the next response.
        let isOutdated = connections.isDraining.load(ordering: .relaxed) || security.isSecure != (terms.identity != nil)
        let isLast = isOutdated || request.headers.endConnection || response.headers.endConnection
        if isLast { response.headers[.connection] = "close" }
        if let length = response.body.contentLength, length <= Self.small {
            try await writer.write(response: response.head, body: response.body)
        } else {
            // Cancelled where its scope ends; awaited by name it would wait for the client's next stop, and nothing would read its next request.
            async let _: Void = Self.cut(channel, whenStuckFor: limits.idleTimeout)
            try await writer.write(response: response.head, body: response.body)
        }
        if let repeatable, !isLast, request.method == .get, response.status == .ok || response.status == .notModified {
            remember(response.head, to: request, repeatable, on: channel, security)
        }
        // The handler closes the connection once the response is out. A client that was not told may be sending already.
        if isLast { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }

    /// Leaves an answer with the connection for when it is asked again.
    private func remember(
        _ response: HTTPResponse, to request: Request, _ repeatable: RepeatableAnswer.Held, on channel: any Channel,
        _ security: ConnectionSecurity
    ) {
        guard request.headers[.contentLength] == nil, request.headers[.transferEncoding] == nil else { return }
        channel.pipeline.fireUserInboundEventTriggered(
            RepeatedAnswers.Known(
                request: request.head, response: response, body: repeatable.body,
                isGood: { [connections, terms] in
                    // Whoever is to be told that the connection ends is told on the long way.
                    !connections.isDraining.load(ordering: .relaxed) && security.isSecure == (terms.value.identity != nil)
                        && repeatable.isGood()
                }, until: .now() + RepeatedAnswers.lifetime))
    }

    /// The handler's response, or 503 when it takes too long.
    private func respond(
        to request: Request, _ source: RequestSource, _ limits: HTTPServerSettings.Limits, on loop: any EventLoop
    ) async throws -> Response {
        let context = PeerRequestContext(source: source)
        do {
            // A task of its own, so that the deadline can cancel it; whoever cancels this one cancels it too. A timer for each request would
            // cost more than most of them do.
            let work = Task { try await respond(request, context) }
            let deadline = deadlines.add(after: limits.requestTimeout, on: loop) { work.cancel() }
            let result = await withTaskCancellationHandler {
                await work.result
            } onCancel: {
                work.cancel()
            }
            // What was done in spite of it is what became of the request.
            if deadlines.remove(deadline) == .passed, case .failure = result {
                return .problem(
                    .serviceUnavailable, "the request was not answered within \(limits.requestTimeout.components.seconds) s", isLast: true)
            }
            return try result.get()
        } catch let error as HTTPError {
            return .problem(error.status, error.body ?? error.status.reasonPhrase, isLast: error.headers.endConnection)
        } catch let error as any HTTPResponseError {
            return try error.response(from: request, context: context)
        } catch let error as HTTPParserError {
            throw error
        } catch {
            // The error's text may hold anything; its type is enough to find it.
            logger.error("a request failed", metadata: ["path": "\(request.uri.path)", "error": "\(type(of: error))"])
            return .problem(.internalServerError, "the daemon's log says more")
        }
    }

    /// What the system's buffers take at once, whoever reads it.
    private static let small = 65_536

    /// Closes a connection whose client takes nothing of a long response for too long. Ends when it is cancelled.
    private static func cut(_ channel: any Channel, whenStuckFor patience: Duration) async {
        var last = ContinuousClock.now
        while (try? await Task.sleep(for: min(patience / 4, .seconds(1)))) != nil {
            if channel.isWritable { last = .now }
            guard last.duration(to: .now) >= patience else { continue }
            return channel.closeAtOnce()
        }
    }

    private func peer(of channel: any Channel) async -> RequestPeer {
        if case .unixDomainSocket = channel.localAddress {
            #if os(Linux)
            // struct ucred { pid_t, uid_t, gid_t }; Glibc's module lacks it.
            typealias Credentials = (pid: Int32, uid: UInt32, gid: UInt32)
            let level = NIOBSDSocket.OptionLevel.socket
            if let provider = channel as? any SocketOptionProvider,
                let credentials: Credentials = try? await provider.unsafeGetSocketOption(
                    level: level, name: NIOBSDSocket.Option(rawValue: 17)
                ).get()
            {
                return .unix(uid: credentials.uid, pid: credentials.pid)
            }
            #endif
            return .unix(uid: .max, pid: -1)
        }
        return .tcp(address: channel.remoteAddress?.ipAddress ?? "")
    }

    /// RFC 9110's date, made once a second.
    @Sendable private static func date() -> String {
        let now = Int(Date().timeIntervalSince1970)
        return lastDate.withLock { last in
            if last.second != now { last = (now, httpDate(now)) }
            return last.text
        }
    }

    private static let lastDate = Mutex((second: 0, text: ""))

    private static func httpDate(_ seconds: Int) -> String {
        let style = Date.VerbatimFormatStyle(
            format:
                "\(weekday: .abbreviated), \(day: .twoDigits) \(month: .abbreviated) \(year: .defaultDigits) \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits) GMT",
            locale: Locale(identifier: "en_US_POSIX"), timeZone: .gmt, calendar: Calendar(identifier: .gregorian))
        return Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(style)
    }
}

/// A request's body that ends with 413 when it is longer than it may be.
private struct LimitedBody: AsyncSequence, Sendable {
    let body: RequestBody
    let limit: Int

    struct AsyncIterator: AsyncIteratorProtocol {
        var parts: RequestBody.AsyncIterator
        var rest: Int

        @concurrent mutating func next() async throws -> ByteBuffer? {
            guard let part = try await parts.next() else { return nil }
            rest -= part.readableBytes
            guard rest >= 0 else { throw HTTPError(.contentTooLarge, headers: [.connection: "close"]) }
            return part
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(parts: body.makeAsyncIterator(), rest: limit) }
}

extension HTTPFields {
    /// Whether one side says that it is the last message of its connection.
    fileprivate var endConnection: Bool {
        self[values: .connection].contains { value in
            value.split(separator: ",").contains { $0.trimmingCharacters(in: .whitespaces).lowercased() == "close" }
        }
    }
}

extension TimeAmount {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        self = overflow ? .nanoseconds(.max) : .nanoseconds(nanoseconds &+ attoseconds / 1_000_000_000)
    }
}
