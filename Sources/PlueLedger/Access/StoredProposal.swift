public import Foundation
public import PlueConfig

/// A change that waits for somebody else's approval.
public struct StoredProposal: Hashable, Sendable {
    public var id: Int
    /// Of exactly what it would do; what is approved.
    public var hash: String
    /// Whose profile it would change.
    public var environment: EnvironmentName
    /// The version beside which it was planned, and only beside which it may be made.
    public var version: Int
    /// Who asked for it, and why.
    public var actor: String
    /// Why, in the words of whoever asked.
    public var reason: String
    /// When it was asked for.
    public var at: Date
    /// Until when it can be approved.
    public var expiresAt: Date
    /// What was asked for, as JSON.
    public var change: String
    /// What it would do, as JSON; secrets are redacted.
    public var plan: String

    public init(
        id: Int = 0, hash: String, environment: EnvironmentName, version: Int, actor: String, reason: String, at: Date, expiresAt: Date,
        change: String, plan: String
    ) {
        self.id = id
        self.hash = hash
        self.environment = environment
        self.version = version
        self.actor = actor
        self.reason = reason
        self.at = at
        self.expiresAt = expiresAt
        self.change = change
        self.plan = plan
    }
}

extension LedgerReader {
    /// The proposals of an environment that wait, oldest first.
    /// - Throws: ``LedgerError``; `CancellationError`.
    public func proposals(of environment: EnvironmentName, at now: Date) async throws -> [StoredProposal] {
        try await read { try $0.proposals(of: environment, at: now) }
    }
}

extension Ledger {
    /// Keeps a proposal, and who made it in the audit log; those that have expired go.
    /// - Parameter most: How many may wait.
    /// - Returns: Its id; `nil`, and nothing is kept, when too many wait.
    /// - Throws: ``LedgerError``.
    public func add(_ proposal: StoredProposal, atMost most: Int, by cause: Cause) async throws -> Int? {
        try await write { try $0.add(proposal, atMost: most, by: cause) }
    }

    /// Keeps that somebody approved a proposal: before it is carried out, so that nothing approved runs without it.
    /// - Throws: ``LedgerError``; then it may not be carried out.
    public func noteApproval(of proposal: StoredProposal, by cause: Cause) async throws {
        try await note("approval") { entry in
            entry.add(cause)
            entry.add("proposal", proposal.id)
            entry.add("proposer", proposal.actor)
            entry.add("plan", proposal.hash)
        }
    }

    /// Removes a proposal that is over.
    /// - Parameter cause: Who withdraws it; `nil` when it was carried out, of which other entries tell.
    /// - Returns: `false` when it is not there.
    /// - Throws: ``LedgerError``.
    public func removeProposal(_ id: Int, by cause: Cause?) async throws -> Bool {
        try await write { try $0.removeProposal(id, by: cause) }
    }
}
