import ArgumentParser
import Foundation
import PlueConfig
import PlueDaemon

/// `plue proposals`: the changes that wait for somebody's approval.
struct Proposals: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the changes that wait for somebody's approval, where security.require_approval asks for one.")

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Take the proposal back.")
    var withdraw = false

    @Argument(help: "Only this one.")
    var id: Int?

    func validate() throws {
        if withdraw, id == nil { throw ValidationError("--withdraw takes a proposal's number") }
    }

    func run() async throws {
        do {
            let client = options.client(try options.deployment())
            if withdraw, let id {
                let answer = try await client.ask(.init(method: .delete, path: "/v1/proposals/\(id)"))
                return options.format == .json ? options.print(answer) : options.print("proposal \(id) is withdrawn")
            }
            let answer = try await client.get("/v1/proposals" + (id.map { "/\($0)" } ?? ""))
            guard options.format != .json else { return options.print(answer) }
            let proposals = id == nil ? answer["proposals"]?.elements ?? [] : [answer]
            guard !proposals.isEmpty else { return options.print("nothing waits for approval") }
            let colour = options.usesColour(on: STDOUT_FILENO)
            options.print(proposals.map { ProposalAnswer.text($0, colour: colour) }.joined(separator: "\n\n"))
        } catch {
            throw options.end(error)
        }
    }
}

/// `plue approve`: a change that another asked for is made.
struct Approve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Approve a change that another asked for; exactly what was planned is made.",
        discussion: """
            Who asked for it cannot approve it. With a token in $PLUE_TOKEN the command acts as that token; otherwise as the user who \
            runs it.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: "The plan that is approved, as 'plue proposals' shows it; refused when it is another. (default: the one that waits)")
    var hash: String?

    @Option(help: "Why; kept in the audit log.")
    var reason = ""

    @Argument(help: "The proposal's number.")
    var id: Int

    func run() async throws {
        do {
            let client = options.client(try options.deployment())
            let proposal = try await client.get("/v1/proposals/\(id)")
            if options.format == .text { options.print(ProposalAnswer.text(proposal, colour: options.usesColour(on: STDOUT_FILENO))) }
            let answer = try await client.ask(
                .init(
                    method: .post, path: "/v1/proposals/\(id)/approve?reason=\(ConditionOptions.escaped(reason))",
                    body: ["hash": .string(hash ?? proposal["hash"]?.string ?? "")]))
            try options.tell(answer)
        } catch {
            throw options.end(error)
        }
    }
}
