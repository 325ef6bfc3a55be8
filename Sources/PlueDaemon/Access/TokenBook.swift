import Foundation
import PlueConfig
import PlueLedger
import Synchronization

/// The API tokens that count, in memory as the ledger has them: looked through for each request that shows one.
final class TokenBook: Sendable {
    private final class Entry: Sendable {
        let token: StoredToken
        let grant: Grant
        /// Seconds since the epoch, 0 for not since the start.
        let lastUse = Atomic<Int>(0)
        let storedUse = Atomic<Int>(0)

        init(_ token: StoredToken) {
            self.token = token
            grant = Grant(expires: token.expiresAt)
        }
    }

    /// Each is looked at for every request.
    static let most = 1000

    private let ledger: Ledger
    private let entries = Mutex<[Entry]>([])

    init(_ ledger: Ledger) { self.ledger = ledger }

    /// Reads the tokens: before the first request.
    /// - Throws: ``LedgerError``.
    func load() async throws {
        let tokens = try await ledger.reader.tokens()
        entries.withLock { $0 = tokens.map(Entry.init) }
    }

    /// Who shows a token; `nil` when it opens nothing, or nothing any more.
    ///
    /// Each token is compared, and each to its end: how long it takes says nothing of how near a guess was.
    func requester(showing token: AccessToken, from address: String, at time: Date = Date()) -> Requester? {
        let digest = token.digest
        var found: Entry?
        for entry in entries.withLock({ $0 }) where Self.isSame(entry.token.digest, digest) { found = entry }
        guard let found, found.grant.isGood(at: time) else { return nil }
        found.lastUse.store(Int(time.timeIntervalSince1970), ordering: .relaxed)
        return Requester(
            actor: "token:\(found.token.name)", role: found.token.role, scope: SectionScope(found.token.sections), method: .token,
            address: address, grant: found.grant)
    }

    private static func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (left, right) in zip(left, right) { difference |= left ^ right }
        return difference == 0
    }

    /// All, with what is known of their use.
    var tokens: [StoredToken] {
        entries.withLock { $0 }.map { entry in
            var token = entry.token
            let use = entry.lastUse.load(ordering: .relaxed)
            if use > 0 { token.usedAt = Date(timeIntervalSince1970: TimeInterval(use)) }
            return token
        }.sorted { $0.name < $1.name }
    }

    /// Why a token was not made.
    enum Refusal: Error, CustomStringConvertible {
        case nameTaken(String)
        case tooMany

        var description: String {
            switch self {
            case .nameTaken(let name): "there is a token '\(name)' already; revoke it, or take another name"
            case .tooMany: "there are \(TokenBook.most) tokens already; revoke some"
            }
        }
    }

    /// Makes a token.
    /// - Returns: The token itself, which is not kept.
    /// - Throws: ``Refusal``; ``LedgerError``.
    func create(_ request: TokenRequest, by cause: Cause) async throws -> (token: AccessToken, stored: StoredToken) {
        guard entries.withLock({ $0.count }) < Self.most else { throw Refusal.tooMany }
        let token = AccessToken()
        let stored = request.stored(token, madeBy: cause.actor, at: Date())
        guard try await ledger.add(stored, by: cause) else { throw Refusal.nameTaken(request.name) }
        entries.withLock { $0.append(Entry(stored)) }
        return (token, stored)
    }

    /// Revokes a token: it counts no more when this returns, nor does anything that came of it.
    /// - Returns: `false` when there is none of that name.
    /// - Throws: ``LedgerError``; then it still counts.
    func revoke(_ name: String, by cause: Cause) async throws -> Bool {
        let isGone = try await ledger.revokeToken(name, by: cause)
        let entry = entries.withLock { entries in
            entries.firstIndex { $0.token.name == name }.map { entries.remove(at: $0) }
        }
        entry?.grant.end()
        return isGone
    }

    /// Keeps when tokens were used since the last time; never on a request's way.
    /// - Throws: ``LedgerError``; the next time tries again.
    func keepUses() async throws {
        var uses: [String: Date] = [:]
        let entries = entries.withLock { $0 }
        for entry in entries {
            let use = entry.lastUse.load(ordering: .relaxed)
            if use > entry.storedUse.load(ordering: .relaxed) {
                uses[entry.token.name] = Date(timeIntervalSince1970: TimeInterval(use))
            }
        }
        guard !uses.isEmpty else { return }
        try await ledger.noteUse(of: uses)
        for entry in entries {
            if let use = uses[entry.token.name] { entry.storedUse.store(Int(use.timeIntervalSince1970), ordering: .relaxed) }
        }
    }
}
