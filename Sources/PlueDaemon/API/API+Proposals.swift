import Foundation
import HTTPTypes
import Hummingbird
import OrderedCollections
import PlueConfig
import PlueLedger

/// Changes that take two: one asks, another approves exactly what was asked for.
extension API {
    var proposalRoutes: [Route] {
        [
            Route(
                .get, "/v1/proposals", .viewer,
                Operation(
                    id: "listProposals", summary: "The changes that wait for somebody's approval.", answer: .json("Proposals"),
                    refusals: [503])
            ) { _, _ in
                let running = manager.snapshot.version
                return json(["proposals": .array(try await proposals().map { ProposalAnswer.json($0, running: running) })])
            },
            Route(
                .get, "/v1/proposals/:id", .viewer,
                Operation(
                    id: "getProposal", summary: "A change that waits for somebody's approval.", answer: .json("Proposal"),
                    refusals: [404, 503])
            ) { _, context in json(ProposalAnswer.json(try await proposal(context), running: manager.snapshot.version)) },
            Route(
                .post, "/v1/proposals/:id/approve", .operator,
                Operation(
                    id: "approveProposal", summary: "Makes a change that another asked for, exactly as it was planned.",
                    query: [.reason], body: .json("Approval"), answer: .json("Changed"),
                    refusals: [404, 409, 412, 413, 415, 422, 500, 503])
            ) { request, context in try await approve(request, context) },
            Route(
                .delete, "/v1/proposals/:id", .operator,
                Operation(
                    id: "withdrawProposal", summary: "Takes a change back before anybody has approved it.", query: [.reason],
                    answer: .json("Withdrawn"), refusals: [404, 503])
            ) { request, context in try await withdraw(request, context) },
        ]
    }

    // MARK: - Asking

    /// Has a change made, or keeps it for somebody else to approve: 202, with nothing changed yet.
    /// - Parameter work: Makes the change, with whoever has a say in it.
    func change(
        _ wish: ChangeWish, _ cause: Cause, by requester: Requester, mayWait: Bool = true,
        _ work: @Sendable (@escaping ProposedChange.Review) async throws(ConfigurationError) -> ReloadOutcome
    ) async throws -> Response {
        let made: Approvals.Made
        do throws(ConfigurationError) {
            made = try await approvals.make(
                wish, cause, mayWait: mayWait,
                first: { (change) throws(ChangeRefusal) in try requester.scope.admit(change, for: requester) }, work)
        } catch {
            throw Problem(error)
        }
        switch made {
        case .ended(let outcome): return try await answer { outcome }
        case .waits(let proposal, let sections):
            var response = json(ProposalAnswer.json(proposal, sections, running: manager.snapshot.version))
            response.status = .accepted
            response.headers[.location] = "/v1/proposals/\(proposal.id)"
            return response
        }
    }

    // MARK: - Approving

    private func approve(_ request: Request, _ context: APIContext) async throws -> Response {
        let body = try await jsonBody(request)
        guard body.members.count == 1, let hash = body["hash"]?.string else {
            throw Problem(.badRequest, "the body names what is approved: {\"hash\":\"sha256:…\"}")
        }
        let proposal = try await proposal(context)
        let cause = cause(request, context)
        return try await answer { try await approvals.approve(proposal, hash, by: cause) }
    }

    // MARK: - Withdrawing

    private func withdraw(_ request: Request, _ context: APIContext) async throws -> Response {
        let proposal = try await proposal(context)
        guard context.requester.actor == proposal.actor || context.requester.may(.admin) else {
            throw Problem(.forbidden, "a proposal is withdrawn by who made it, or by an admin")
        }
        do {
            guard try await ledger.removeProposal(proposal.id, by: cause(request, context)) else { throw noProposal(context) }
        } catch let error as LedgerError {
            throw Problem(.serviceUnavailable, "the proposal could not be withdrawn: \(error)")
        }
        return json(["withdrawn": .integer(proposal.id)])
    }

    private func proposals() async throws(Problem) -> [StoredProposal] {
        do {
            return try await approvals.waiting()
        } catch {
            throw Problem(.serviceUnavailable, "the proposals cannot be read")
        }
    }

    private func proposal(_ context: APIContext) async throws(Problem) -> StoredProposal {
        let id = context.parameters.get("id").flatMap { Int($0) }
        guard let proposal = try await proposals().first(where: { $0.id == id }) else { throw noProposal(context) }
        return proposal
    }

    private func noProposal(_ context: APIContext) -> Problem {
        Problem(.notFound, "there is no proposal '\(VisibleText.of(String((context.parameters.get("id") ?? "").prefix(20))))'")
    }
}
