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
    let limits: LimitBox
    let connections: Connections
    let logger: Logger

    /// How a new connection is served.
    func channel(_ limits: HTTPServerSettings.Limits) -> HTTP1Channel {
        HTTP1Channel(
            responder: { request, writer, channel in try await self.answer(request, writer, channel) },
            configuration: .init(
                idleTimeout: TimeAmount(limits.idleTimeout),
                httpDecoderConfiguration: .init(maxHeaderFieldSize: limits.maxHeaderSize, maxHeaderListSize: limits.maxHeaderSize)))
    }

    @concurrent
    private func answer(_ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
        let limits = limits.value
        var response: Response
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limits.maxBodySize {
            response = Response(status: .contentTooLarge, headers: [.connection: "close"])
        } else {
            var request = request
            // A body that does not say its size is counted as it comes.
            if request.headers[.transferEncoding] != nil {
                request.body = RequestBody(asyncSequence: LimitedBody(body: request.body, limit: limits.maxBodySize))
            }
            response = try await respond(to: request, from: await peer(of: channel), limits)
        }
        response.headers[.date] = Self.date()
        let isLast = connections.isDraining.load(ordering: .relaxed) || request.headers.endConnection || response.headers.endConnection
        if isLast { response.headers[.connection] = "close" }
        try await writer.write(response: response.head, body: response.body)
        // The handler closes the connection once the response is out. A client that was not told may be sending already.
        if isLast { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }

    /// The handler's response, or 503 when it takes too long.
    private func respond(to request: Request, from peer: RequestPeer, _ limits: HTTPServerSettings.Limits) async throws -> Response {
        let context = PeerRequestContext(source: RequestSource(logger: logger, peer: peer, maxBodySize: limits.maxBodySize))
        do {
            return try await withThrowingTaskGroup(of: Response?.self) { group in
                group.addTask { try await respond(request, context) }
                group.addTask {
                    try? await Task.sleep(for: limits.requestTimeout)
                    return nil
                }
                defer { group.cancelAll() }
                return try await group.next().flatMap(\.self) ?? Response(status: .serviceUnavailable, headers: [.connection: "close"])
            }
        } catch let error as any HTTPResponseError {
            return try error.response(from: request, context: context)
        } catch let error as HTTPParserError {
            throw error
        } catch {
            // The error's text may hold anything; its type is enough to find it.
            logger.error("a request failed", metadata: ["path": "\(request.uri.path)", "error": "\(type(of: error))"])
            return Response(status: .internalServerError)
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
    private static func date() -> String {
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
