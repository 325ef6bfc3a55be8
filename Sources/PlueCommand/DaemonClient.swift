import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import PlueConfig
import PlueDaemon
import SystemPackage

/// Talks to the running daemon over its socket, whose file mode is the permission.
struct DaemonClient: Sendable {
    let socket: FilePath
    /// Which installation is meant, as far as the user said it.
    var headers: [(name: String, value: String)] = []

    /// Longest an answer to a question may take, and one to a change, which is given when the change is over.
    private static let timeouts: (question: Duration, change: Duration) = (.seconds(60), .seconds(3600))
    /// Largest answer that is taken.
    private static let largestAnswer = 64 * 1_048_576

    /// No daemon answers on the socket.
    struct Unreachable: Error {
        let socket: FilePath
        let isForbidden: Bool
    }

    /// The daemon did not answer, though it took the request.
    struct Unanswered: Error {
        let request: Request
        let problem: String
    }

    /// The daemon's answer was a refusal.
    struct Refused: Error {
        let status: Int
        let problem: JSONValue
    }

    enum Method: String { case get = "GET", post = "POST", patch = "PATCH", delete = "DELETE" }

    /// One request.
    struct Request: Sendable {
        var method: Method
        var path: String
        var body: JSONValue?
        var type = "application/json"
        /// What `If-Match` demands.
        var version: String?
    }

    func get(_ path: String) async throws -> JSONValue { try await ask(Request(method: .get, path: path)) }

    func post(_ path: String) async throws -> JSONValue { try await ask(Request(method: .post, path: path)) }

    func ask(_ request: Request) async throws -> JSONValue {
        let timeout = request.method == .get ? Self.timeouts.question : Self.timeouts.change
        return try await withThrowingTaskGroup(of: JSONValue.self) { group in
            group.addTask {
                var status = 0
                var body = ByteBuffer()
                try await wholeExchange(request) { part in
                    switch part {
                    case .head(let head): status = Int(head.status.code)
                    case .body(let bytes) where body.readableBytes + bytes.readableBytes <= Self.largestAnswer:
                        body.writeImmutableBuffer(bytes)
                    case .body: throw Refused(status: 0, problem: ["detail": "the answer is too large"])
                    case .end: return false
                    }
                    return true
                }
                guard let json = try? JSONValue(parsing: Array(body.readableBytesView), name: "the daemon's answer") else {
                    throw Unanswered(request: request, problem: "the daemon ended the connection before it had answered")
                }
                guard (200..<300).contains(status) else { throw Refused(status: status, problem: json) }
                return json
            }
            group.addTask {
                try await Task.sleep(for: timeout)
                throw Unanswered(request: request, problem: "the daemon did not answer within \(timeout.components.seconds) s")
            }
            defer { group.cancelAll() }
            guard let answer = try await group.next() else { throw Unreachable(socket: socket, isForbidden: false) }
            return answer
        }
    }

    /// Receives the daemon's events until it closes the stream.
    func events(_ receive: (_ name: String, _ data: JSONValue) throws -> Void) async throws {
        var text = ByteBuffer()
        try await exchange(Request(method: .get, path: "/v1/events")) { part in
            guard case .body(let bytes) = part else {
                if case .end = part { return false }
                return true
            }
            text.writeImmutableBuffer(bytes)
            // An event ends with an empty line; what is after the last one is the beginning of the next.
            while let end = text.readableBytesView.firstRange(of: Array("\n\n".utf8)) {
                let event = text.readString(length: end.lowerBound - text.readerIndex) ?? ""
                text.moveReaderIndex(forwardBy: 2)
                let lines = event.split(separator: "\n")
                let name = lines.last { $0.hasPrefix("event: ") }?.dropFirst(7) ?? "message"
                for line in lines where line.hasPrefix("data: ") {
                    try receive(String(name), try JSONValue(parsing: Array(line.dropFirst(6).utf8), name: "the daemon's event"))
                }
            }
            text.discardReadBytes()
            return true
        }
    }

    /// An exchange whose end, if it comes too early, says what was under way.
    private func wholeExchange(_ request: Request, _ take: (HTTPClientResponsePart) throws -> Bool) async throws {
        do {
            try await exchange(request, take)
        } catch let error where error is IOError || error is ChannelError || error is HTTPParserError {
            throw Unanswered(request: request, problem: "the connection to the daemon broke")
        }
    }

    /// Sends one request and hands over the parts of the answer until told to stop.
    private func exchange(_ request: Request, _ take: (HTTPClientResponsePart) throws -> Bool) async throws {
        let channel: NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>
        do {
            channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connectTimeout(.seconds(5))
                .connect(unixDomainSocketPath: socket.string) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw Unreachable(socket: socket, isForbidden: (error as? IOError)?.errnoCode == EACCES)
        }
        try await channel.executeThenClose { inbound, outbound in
            let body = request.body.map { ByteBuffer(string: $0.text()) }
            var head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: request.method.rawValue), uri: request.path)
            head.headers = ["host": "plue", "connection": "close", "content-length": "\(body?.readableBytes ?? 0)"]
            if body != nil { head.headers.add(name: "content-type", value: request.type) }
            for header in headers { head.headers.add(name: header.name, value: header.value) }
            if let version = request.version { head.headers.add(name: "if-match", value: version) }
            try await outbound.write(.head(head))
            if let body { try await outbound.write(.body(.byteBuffer(body))) }
            try await outbound.write(.end(nil))
            for try await part in inbound {
                guard try take(part) else { break }
            }
        }
    }
}

extension GlobalOptions {
    /// The client of a deployment's daemon.
    func client(_ deployment: Deployment) -> DaemonClient {
        var client = DaemonClient(socket: deployment.socket)
        if environment != nil { client.headers.append((Deployment.environmentHeader, deployment.environment.rawValue)) }
        // Somebody else than the user: the socket's owner may act as less, or as the second of two.
        if let token = ProcessInfo.processInfo.environment["PLUE_TOKEN"], !token.isEmpty {
            client.headers.append(("authorization", "Bearer \(token)"))
        }
        if configDirectory != nil { client.headers.append((Deployment.directoryHeader, deployment.resolvedDirectory.string)) }
        return client
    }

    /// Has the running daemon answer; with none running, whatever else can.
    func daemon(
        _ deployment: Deployment, _ ask: (DaemonClient) async throws -> JSONValue, orElse answer: () async throws -> JSONValue
    ) async throws -> JSONValue {
        do {
            return try await ask(client(deployment))
        } catch let unreachable as DaemonClient.Unreachable where !unreachable.isForbidden {
            return try await answer()
        }
    }
}
