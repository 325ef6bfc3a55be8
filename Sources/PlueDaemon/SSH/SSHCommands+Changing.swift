import Foundation
import PlueConfig
import PlueLedger
import PlueSSH

/// What an operator's key may.
extension SSHCommands {
    private static let conditions: Set<String> = ["--reason", "--confirm-within", "--if-version"]

    static let changing: [Command] = [
        Command(
            name: "apply", usage: "apply KEY=VALUE … [--unset KEY …] --reason TEXT [--confirm-within 60s] [--if-version N]",
            role: .operator, summary: "change settings, as one transaction", valued: conditions.union(["--set", "--unset"]),
            flags: ["--replace-pending"]
        ) { commands, arguments, line in
            let edits = try commands.edits(arguments)
            guard !edits.isEmpty else { throw CommandArguments.Problem(sentence: "nothing to apply: give KEY=VALUE, or --unset KEY") }
            let request = ChangeRequest(
                edits, cause: try commands.cause(line, arguments, needsReason: true), ifVersion: try commands.requiredVersion(arguments),
                confirmWithin: try commands.confirmationTime(arguments), replacesPending: arguments.has("--replace-pending"))
            let wish = ChangeWish(.edits(edits), confirmWithin: request.confirmWithin)
            let made = try await commands.approvals.make(wish, request.cause, mayWait: !request.replacesPending) {
                (review) async throws(ConfigurationError) in
                var request = request
                request.review = review
                return try await commands.manager.apply(request)
            }
            return try await commands.answer(to: made)
        },
        Command(
            name: "rollback", usage: "rollback N --reason TEXT [--confirm-within 60s] [--if-version N]", role: .operator,
            summary: "make a former version run again, as a new version", valued: conditions, flags: ["--replace-pending"]
        ) { commands, arguments, line in
            guard let word = try arguments.word("version") else { throw CommandArguments.Problem(sentence: "rollback takes a version") }
            let (number, cause) = (try version(word), try commands.cause(line, arguments, needsReason: true))
            let (required, time) = (try commands.requiredVersion(arguments), try commands.confirmationTime(arguments))
            let replacesPending = arguments.has("--replace-pending")
            let made = try await commands.approvals.make(
                ChangeWish(.rollback(to: number), confirmWithin: time), cause, mayWait: !replacesPending
            ) { (review) async throws(ConfigurationError) in
                try await commands.manager.rollback(
                    to: number, cause: cause, ifVersion: required, confirmWithin: time, replacesPending: replacesPending, review: review)
            }
            return try await commands.answer(to: made)
        },
        Command(name: "proposals", usage: "proposals", role: .viewer, summary: "the changes that wait for somebody's approval") {
            commands, _, line in
            let proposals = try await commands.approvals.waiting()
            let running = commands.manager.snapshot.version
            guard !proposals.isEmpty else { return "nothing waits for approval" }
            return proposals.map { ProposalAnswer.text(ProposalAnswer.json($0, running: running), colour: line.isTerminal) }
                .joined(separator: "\n\n")
        },
        Command(
            name: "approve", usage: "approve N --hash sha256:… [--reason TEXT]", role: .operator,
            summary: "make the change that another asked for, as 'proposals' shows it", valued: ["--hash", "--reason"]
        ) { commands, arguments, line in
            guard let word = try arguments.word("proposal"), let id = Int(word), let hash = try arguments.one("--hash") else {
                throw CommandArguments.Problem(sentence: "approve takes a proposal's number and its hash: approve 3 --hash sha256:…")
            }
            guard let proposal = try await commands.approvals.waiting().first(where: { $0.id == id }) else {
                throw NoSuchName(name: word, known: [])
            }
            let outcome = try await commands.approvals.approve(proposal, hash, by: try commands.cause(line, arguments))
            return try await commands.answer(to: .ended(outcome))
        },
        Command(name: "confirm", usage: "confirm", role: .operator, summary: "let the change that waits stay") {
            commands, arguments, line in
            let version = try await commands.manager.confirm(try commands.cause(line, arguments))
            return "version \(version) is confirmed"
        },
        Command(
            name: "reload", usage: "reload [--force]", role: .operator, summary: "have the files read now", flags: ["--force"]
        ) { commands, arguments, line in
            let outcome = try await commands.manager.reload(
                try commands.cause(line, arguments), isForced: arguments.has("--force"))
            return StatusText.reload(try ChangeAnswer.json(outcome))
        },
        Command(
            name: "reveal", usage: "reveal KEY [--reason TEXT]", role: .operator,
            summary: "a secret in plain text; who did it is put on record first", valued: ["--reason"]
        ) { commands, arguments, line in try await commands.reveal(arguments, line) },
    ]

    // MARK: - The question

    /// `KEY=VALUE`, `--set KEY=VALUE`, `--unset KEY`.
    func edits(_ arguments: CommandArguments) throws -> Edits {
        var edits = Edits()
        for name in arguments.all("--unset") {
            guard let key = SettingKey(name), manager.schema.setting(for: key) != nil else {
                throw NoSuchName(name: name, known: manager.schema.settingNames)
            }
            edits.steps.append(.remove(key))
        }
        for setting in arguments.all("--set") + arguments.words {
            do throws(ConversionProblem) {
                let override = try Override(argument: setting)
                edits.steps.append(.set(override.key, to: override.text))
            } catch {
                // What stands behind the '=' may be a secret.
                let name = VisibleText.of(String(setting.prefix { $0 != "=" }))
                throw CommandArguments.Problem(sentence: "\(name): expected \(error.expected)\(error.hint.map { "; \($0)" } ?? "")")
            }
        }
        return edits
    }

    /// Who asks, and why.
    private func cause(
        _ line: SSHCommand, _ arguments: CommandArguments, needsReason: Bool = false
    ) throws(CommandArguments.Problem) -> Cause {
        let reason = try arguments.one("--reason") ?? ""
        guard !needsReason || !reason.trimmingCharacters(in: .whitespaces).isEmpty else {
            throw CommandArguments.Problem(sentence: "a change has a reason: --reason TEXT")
        }
        guard reason.utf8.count <= 1000, !reason.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw CommandArguments.Problem(sentence: "--reason takes one line of text of at most 1000 bytes")
        }
        return Cause(.ssh, actor: line.actor, reason: reason)
    }

    private func requiredVersion(_ arguments: CommandArguments) throws(CommandArguments.Problem) -> Int? {
        guard let text = try arguments.one("--if-version") else { return nil }
        return try Self.version(text)
    }

    private func confirmationTime(_ arguments: CommandArguments) throws(CommandArguments.Problem) -> Duration? {
        guard let text = try arguments.one("--confirm-within") else { return nil }
        guard let time = try? Duration(setting: .scalar(text)), ChangeRequest.confirmationTimes.contains(time) else {
            throw CommandArguments.Problem(sentence: "--confirm-within takes a duration between 1s and 7d, such as 60s")
        }
        return time
    }

    // MARK: - The answer

    private func answer(to made: Approvals.Made) async throws -> String {
        switch made {
        case .ended(let outcome): ChangeAnswer.text(try ChangeAnswer.json(outcome, confirmation: await manager.status.confirmation))
        case .waits(let proposal, let sections):
            throw OnlyProposed(text: ChangeAnswer.text(ProposalAnswer.json(proposal, sections, running: manager.snapshot.version)))
        }
    }

    private func reveal(_ arguments: CommandArguments, _ line: SSHCommand) async throws -> String {
        guard let name = try arguments.word("setting") else { throw CommandArguments.Problem(sentence: "reveal takes a setting") }
        let settings = manager.snapshot.settings
        guard let key = SettingKey(name), let setting = settings[key] else {
            throw NoSuchName(name: name, known: settings.map(\.key.description))
        }
        try await ledger.noteReveal(of: key, by: try cause(line, arguments))
        guard let text = RevealAnswer.text(RevealAnswer.json(setting)) else { throw NoValue(key: key) }
        return text
    }
}

/// A change that waits for somebody's approval: not done, so no script goes on behind it.
struct OnlyProposed: Error {
    let text: String
}

/// A setting without a value.
struct NoValue: Error {
    let key: SettingKey
}
