import Foundation
import PlueConfig
import PlueLedger
import Synchronization

/// Changes that take two: whoever asks, through whichever door, comes by here; what takes another's approval waits in the ledger, and
/// is made once that other has said yes to exactly that.
struct Approvals: Sendable {
    private let manager: ConfigManager<DaemonSettings>
    private let deployment: Deployment
    private let ledger: Ledger
    private let tokens: TokenBook
    private let fingerprints: Fingerprints

    private static let longestWait: TimeInterval = 7 * 86_400
    private static let mostWaiting = 32
    private static let largestWish = 4 * 1_048_576

    init(
        _ manager: ConfigManager<DaemonSettings>, of deployment: Deployment, ledger: Ledger, tokens: TokenBook
    ) {
        self.manager = manager
        self.deployment = deployment
        self.ledger = ledger
        self.tokens = tokens
        fingerprints = deployment.fingerprints()
    }

    /// What became of a wish.
    enum Made: Sendable {
        case ended(ReloadOutcome)
        /// Nothing is changed yet: these sections take another's approval.
        case waits(StoredProposal, sections: [String])
    }

    // MARK: - Asking

    /// Makes a change, or keeps it for somebody else to approve.
    /// - Parameters:
    ///   - mayWait: Not what takes the place of a change that waits to be confirmed: nobody could say of what.
    ///   - first: Has a say before that.
    ///   - work: Makes the change, under a review.
    func make(
        _ wish: ChangeWish, _ cause: Cause, mayWait: Bool, first: ProposedChange.Review? = nil,
        _ work: @Sendable (@escaping ProposedChange.Review) async throws(ConfigurationError) -> ReloadOutcome
    ) async throws(ConfigurationError) -> Made {
        let held = HeldChange()
        let policy = ApprovalPolicy(manager.current.security)
        do throws(ConfigurationError) {
            return .ended(
                try await work { (change) throws(ChangeRefusal) in
                    try first?(change)
                    held.change = change
                    try policy.admit(change)
                })
        } catch {
            guard case .change(.needsApproval(let sections)) = error, let change = held.change else { throw error }
            guard mayWait else {
                throw .change(.notPermitted("what takes somebody's approval cannot replace a change that waits to be confirmed"))
            }
            return .waits(try await keep(wish, change, cause), sections: sections)
        }
    }

    private func keep(_ wish: ChangeWish, _ change: ProposedChange, _ cause: Cause) async throws(ConfigurationError) -> StoredProposal {
        guard let text = wish.json?.text(), text.utf8.count <= Self.largestWish else {
            throw .change(.notPermitted("a change that waits for approval has at most 4 MiB"))
        }
        let plan = PlanAnswer.json(
            changes: change.plan.changes, beside: change.version, taking: change.plan.services, of: manager.serviceNames,
            writes: change.writes, warnings: change.plan.warnings, fingerprints)
        let now = Date()
        var proposal = StoredProposal(
            hash: change.hash(fingerprints), environment: deployment.environment, version: change.version, actor: cause.actor,
            reason: cause.reason, at: now, expiresAt: now.addingTimeInterval(Self.longestWait), change: text, plan: plan.text())
        let id: Int?
        do {
            id = try await ledger.add(proposal, atMost: Self.mostWaiting, by: cause)
        } catch {
            throw .change(.notRecorded("the change could not be kept for approval: \(publicSentence(for: error))"))
        }
        guard let id else { throw .change(.busy) }
        proposal.id = id
        return proposal
    }

    // MARK: - Approving

    /// What waits, oldest first.
    /// - Throws: ``LedgerError``.
    func waiting() async throws -> [StoredProposal] {
        try await ledger.reader.proposals(of: deployment.environment, at: Date())
    }

    /// Makes a change that another asked for.
    /// - Parameters:
    ///   - hash: Of what is approved.
    ///   - approval: Who approves it, and why.
    func approve(_ proposal: StoredProposal, _ hash: String, by approval: Cause) async throws(ConfigurationError) -> ReloadOutcome {
        guard approval.actor != proposal.actor else {
            throw .change(.notPermitted("it takes another than \(proposal.actor), who asked for it"))
        }
        guard !wasMade(approval.actor, by: proposal.actor, after: proposal.at) else {
            throw .change(
                .notPermitted("\(approval.actor) was made by \(proposal.actor), who asked for it, after that: it is nobody else"))
        }
        guard proposal.hash == hash, let wish = ChangeWish(stored: proposal.change) else { throw .change(.otherPlan) }
        let running = manager.snapshot.version
        guard proposal.version == running else { throw .change(.stale(expected: proposal.version, running: running)) }
        do {
            try await ledger.noteApproval(of: proposal, by: approval)
        } catch {
            throw .change(.notRecorded("no change is made whose approval cannot be recorded: \(publicSentence(for: error))"))
        }
        var cause = Cause(approval.trigger, actor: proposal.actor, reason: proposal.reason)
        cause.approvers = [approval.actor]
        let fingerprints = fingerprints
        let review: ProposedChange.Review = { (change) throws(ChangeRefusal) in
            guard change.hash(fingerprints) == hash else { throw .otherPlan }
        }
        let outcome: ReloadOutcome
        switch wish.change {
        case .edits(let edits):
            outcome = try await manager.apply(
                ChangeRequest(edits, cause: cause, ifVersion: proposal.version, confirmWithin: wish.confirmWithin, review: review))
        case .rollback(let version):
            outcome = try await manager.rollback(
                to: version, cause: cause, ifVersion: proposal.version, confirmWithin: wish.confirmWithin, review: review)
        }
        // One that a service refused may be approved again. That one that is done stays, outdated, when this fails harms nothing.
        if case .rejected = outcome { return outcome }
        _ = try? await ledger.removeProposal(proposal.id, by: nil)
        return outcome
    }

    /// Whether somebody is a token that was made by who asked, for the purpose.
    private func wasMade(_ approver: String, by proposer: String, after time: Date) -> Bool {
        tokens.tokens.contains { "token:\($0.name)" == approver && $0.madeBy == proposer && $0.madeAt >= time }
    }
}

/// The change that a review has seen, carried out of it.
private final class HeldChange: Sendable {
    private let held = Mutex<ProposedChange?>(nil)
    var change: ProposedChange? {
        get { held.withLock { $0 } }
        set { held.withLock { $0 = newValue } }
    }
}
