public import Foundation
public import PlueConfig

/// An API token as it is kept: everything but the token.
public struct StoredToken: Hashable, Sendable {
    /// One line, unique.
    public var name: String
    /// The token's SHA-256, 32 bytes.
    public var digest: [UInt8]
    /// What its bearer may do.
    public var role: Role
    /// The sections that it is limited to; `nil` for none.
    public var sections: [String]?
    /// The actor that made it, and when.
    public var madeBy: String
    /// When it was made.
    public var madeAt: Date
    /// From when on it opens nothing any more; `nil` for never.
    public var expiresAt: Date?
    /// When it was used last, to the minute.
    public var usedAt: Date?

    public init(
        name: String, digest: [UInt8], role: Role, sections: [String]?, madeBy: String, madeAt: Date, expiresAt: Date?, usedAt: Date? = nil
    ) {
        self.name = name
        self.digest = digest
        self.role = role
        self.sections = sections
        self.madeBy = madeBy
        self.madeAt = madeAt
        self.expiresAt = expiresAt
        self.usedAt = usedAt
    }
}

extension LedgerReader {
    /// Every token, by name, those that have expired included.
    /// - Throws: ``LedgerError``; `CancellationError`.
    public func tokens() async throws -> [StoredToken] { try await read { try $0.tokens() } }
}

extension Ledger {
    /// Keeps a token, and who made it in the audit log.
    /// - Returns: `false`, and nothing is kept, when there is one of that name.
    /// - Throws: ``LedgerError``; then there is no such token.
    public func add(_ token: StoredToken, by cause: Cause) async throws -> Bool { try await write { try $0.add(token, by: cause) } }

    /// Removes a token, and keeps who did in the audit log.
    /// - Returns: `false` when there is none of that name.
    /// - Throws: ``LedgerError``; then it is still there.
    public func revokeToken(_ name: String, by cause: Cause) async throws -> Bool {
        try await write { try $0.revokeToken(name, by: cause) }
    }

    /// Keeps when tokens, by their names, were used last; those that are gone are passed over.
    /// - Throws: ``LedgerError``.
    public func noteUse(of tokens: [String: Date]) async throws { try await write { try $0.noteUse(of: tokens) } }
}
