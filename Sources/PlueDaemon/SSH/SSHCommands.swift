import PlueConfig
import PlueLedger
import PlueSSH

/// Plue's own commands for those who come through ssh: the same answers as the command line gives, under the roles of the API.
struct SSHCommands: Sendable {
    let manager: ConfigManager<DaemonSettings>
    let deployment: Deployment
    let ledger: Ledger
    let status: DaemonStatus
    let approvals: Approvals
    let fingerprints: Fingerprints
    let doorkeeper: Doorkeeper

    /// One of them: what it is called, who may, and what it answers. There is no other way to have one, so none can be without a role.
    struct Command: Sendable {
        let name: String
        let usage: String
        let role: Role
        let summary: String
        var valued: Set<String> = []
        var flags: Set<String> = []
        let answer: @Sendable (SSHCommands, CommandArguments, SSHCommand) async throws -> String
    }

    /// Carries a line out: its answer goes out, and its exit status is the command line's.
    func run(_ line: SSHCommand) async -> UInt8 {
        do {
            let answer = try await answer(line)
            if !answer.isEmpty { try await line.output.write(answer.hasSuffix("\n") ? answer : answer + "\n") }
            return ExitStatus.done.rawValue
        } catch {
            let (text, status) = Self.words(for: error, colour: line.isTerminal)
            // Who is gone does not hear it.
            try? await line.output.write(text + "\n", to: .standardError)
            return status.rawValue
        }
    }

    private func answer(_ line: SSHCommand) async throws -> String {
        // An empty line of a shell.
        guard let name = line.words.first else { return "" }
        guard let command = Self.all.first(where: { $0.name == name }) else {
            let hint = suggestion(for: name, among: Self.all.map(\.name)).map { "; did you mean '\($0)'?" } ?? "; 'help' lists them"
            throw CommandArguments.Problem(sentence: "there is no command '\(VisibleText.of(name))'\(hint)")
        }
        guard line.role >= command.role else {
            doorkeeper.note(AccessEvent(.denial, actor: line.actor, address: line.address, call: "ssh \(command.name)"))
            throw Denied(sentence: "\(command.name) takes the role \(command.role); \(line.actor) has the role \(line.role)")
        }
        return try await command.answer(
            self, CommandArguments(line.words.dropFirst(), valued: command.valued, flags: command.flags), line)
    }

    struct Denied: Error { let sentence: String }

    static let all: [Command] = reading + changing + [help]

    private static let help = Command(name: "help", usage: "help", role: .viewer, summary: "this list") { _, _, line in
        var table = TextTable(["COMMAND", "ROLE", ""])
        for command in all { table.add([command.usage, command.role.description, command.summary]) }
        return table.text + "\n\nyou are \(VisibleText.of(line.actor)), \(line.role)"
    }

    /// What ended a command, for people, and its exit status.
    private static func words(for error: any Error, colour: Bool) -> (String, ExitStatus) {
        func refusal(_ diagnostics: [Diagnostic]) -> (String, ExitStatus) {
            (DiagnosticText(colour: colour).render(diagnostics), .invalidConfiguration)
        }
        func sentence(_ text: String, _ status: ExitStatus) -> (String, ExitStatus) { ("plue: " + VisibleText.of(text), status) }
        switch error {
        case let denied as Denied: return sentence(denied.sentence, .notPermitted)
        case let problem as CommandArguments.Problem: return sentence(problem.sentence, .usage)
        case let rejection as Rejection: return refusal(rejection.diagnostics)
        case let rejected as RejectedChange where !rejected.attempt.diagnostics.isEmpty: return refusal(rejected.attempt.diagnostics)
        case let rejected as RejectedChange:
            return sentence(rejected.attempt.problem ?? "the change was refused", ExitStatus(rejected.attempt))
        case ConfigurationError.invalid(let diagnostics): return refusal(diagnostics)
        case let error as ConfigurationError: return sentence(error.description, ExitStatus(error))
        case let proposed as OnlyProposed: return (proposed.text, .conflict)
        case let error as NoValue: return sentence("\(error.key) is not set", .failed)
        case let error as NoSuchName: return sentence(error.description, .failed)
        case let error as NoSuchSetting: return sentence(error.description, .failed)
        case let error as NoSuchVersion: return sentence(error.description, .failed)
        case let error as LedgerError: return sentence("\(error)", .unreachable)
        // Of others the text may hold anything.
        default: return sentence("failed with \(type(of: error))", .failed)
        }
    }
}
