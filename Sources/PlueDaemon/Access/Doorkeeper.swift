import Foundation
import HTTPTypes
import Hummingbird
public import Logging
import PlueConfig
import PlueHTTP
public import PlueLedger
public import ServiceLifecycle
import Synchronization

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// Knows who is who: tokens, sessions, codes for the console and the users of the socket, and keeps what happens at the door.
public final class Doorkeeper: Service {
    let tokens: TokenBook
    let sessions = Sessions()
    let codes = ConsoleCodes()
    private let clients = CertifiedClients()
    private let limit = Mutex(LoginLimit())
    private let tally = Mutex(AccessTally())
    private let ledger: Ledger
    private let logger: Logger
    /// What is to be written at once, by ``run()``.
    private let events: AsyncStream<AccessEvent>
    private let event: AsyncStream<AccessEvent>.Continuation

    /// Reads the tokens.
    /// - Throws: ``LedgerError``.
    public init(ledger: Ledger, logger: Logger) async throws {
        self.ledger = ledger
        self.logger = logger
        tokens = TokenBook(ledger)
        (events, event) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
        try await tokens.load()
    }

    /// Takes over which clients are known by their certificates.
    func follow(_ settings: SecuritySettings) { clients.follow(settings.clients) }

    // MARK: - Who asks

    /// The daemon's own user and root are let in by the socket.
    private static let socketGrant = Grant()

    /// - Throws: What is to be answered where more is needed than to be nobody.
    func requester(of request: Request, _ context: APIContext) throws(Problem) -> Requester {
        let address = context.peer.address
        if let header = request.headers[.authorization] {
            let parts = header.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
            guard parts.count == 2, parts[0].lowercased() == "bearer", request.headers[values: .authorization].count == 1,
                let token = AccessToken(parts[1]), let requester = tokens.requester(showing: token, from: address)
            else { throw failedLogin(context) }
            return requester
        }
        switch context.peer {
        case .unix(let uid, _):
            // The file's mode lets nobody else in; should an access list do so, they are known and may nothing.
            let isOwner = uid == geteuid() || uid == 0
            return Requester(actor: context.peer.description, role: isOwner ? .admin : nil, method: .socket, grant: Self.socketGrant)
        case .tcp:
            // A cookie that is over is no attempt to get in: browsers send it for as long as they have it.
            if let secret = SessionCookie.secret(in: request.headers[.cookie], isSecure: context.isSecure),
                let requester = sessions.requester(showing: secret, from: address)
            {
                guard request.method.isSafe || request.isFromOwnPage else {
                    throw Problem(.forbidden, "a change that is asked for with a cookie has to come from the console's own page")
                }
                return requester
            }
            guard let certificate = context.certificate else { return .nobody(at: address) }
            if let requester = clients.requester(showing: certificate, from: address) { return requester }
            note(AccessEvent(.failedLogin, actor: context.peer.description, address: address, call: context.call))
            throw Problem(.forbidden, "the certificate is good, but none of the clients that [security.client.NAME] knows has it")
        }
    }

    /// Somebody showed what opens nothing.
    /// - Returns: 401, or 429 once it was too often.
    func failedLogin(_ context: APIContext) -> Problem {
        let address = context.peer.address
        note(AccessEvent(.failedLogin, actor: context.peer.description, address: address, call: context.call))
        guard let wait = limit.withLock({ $0.fail(from: address, at: Date()) }) else {
            var problem = Problem(.unauthorized, "what was shown opens nothing; it may have expired or been revoked")
            problem.headers[.wwwAuthenticate] = "Bearer realm=\"plue\", error=\"invalid_token\""
            return problem
        }
        var problem = Problem(.tooManyRequests, "too many logins from this address have failed")
        problem.headers[.retryAfter] = String(Int(wait))
        return problem
    }

    // MARK: - What is kept

    /// Keeps that something happened, without keeping anybody waiting.
    func note(_ event: AccessEvent) {
        if let event = tally.withLock({ $0.add(event, at: Date()) }) { self.event.yield(event) }
    }

    private static let interval = Duration.seconds(10)
    private static let useInterval: TimeInterval = 60

    /// Writes what is to be kept, until everything ends.
    public func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                for await event in events { await keep([event]) }
            }
            group.addTask { [self] in
                try? await cancelWhenGracefulShutdown { [self] in
                    var kept = Date()
                    while true {
                        try await Task.sleep(for: Self.interval)
                        await keep(tally.withLock { $0.take(at: Date()) })
                        guard abs(Date().timeIntervalSince(kept)) >= Self.useInterval else { continue }
                        kept = Date()
                        await keepUses()
                    }
                }
                event.finish()
            }
        }
        await keep(tally.withLock { $0.take(at: Date(), isLast: true) })
        await keepUses()
    }

    private func keep(_ events: [AccessEvent]) async {
        do {
            try await ledger.note(events)
        } catch {
            logger.error("what happened at the door could not be recorded", metadata: ["problem": "\(error)"])
        }
    }

    private func keepUses() async {
        do {
            try await tokens.keepUses()
        } catch {
            logger.error("when tokens were used could not be recorded", metadata: ["problem": "\(error)"])
        }
    }
}

extension Requester {
    /// Whoever started this process.
    static var starter: Requester {
        Requester(actor: RequestPeer.unix(uid: geteuid(), pid: getpid()).description, role: .admin, method: .socket)
    }
}

extension RequestPeer {
    /// Empty on the socket.
    var address: String { if case .tcp(let address) = self { address } else { "" } }
}

extension HTTPRequest.Method {
    /// Whether it asks and changes nothing (RFC 9110 §9.2.1).
    var isSafe: Bool { self == .get || self == .head || self == .options }
}

extension Request {
    /// Whether a browser says that a page of this very server sent it; that another one did was refused by ``SiteMiddleware``.
    var isFromOwnPage: Bool {
        headers[.origin] != nil || HTTPField.Name("Sec-Fetch-Site").flatMap { headers[$0] } == "same-origin"
    }
}
