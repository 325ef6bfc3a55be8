import PlueConfig
import PlueLedger
import PlueSSH

/// What every key may.
extension SSHCommands {
    static let reading: [Command] = [
        Command(
            name: "show", usage: "show [KEY] [--origins]", role: .viewer, summary: "what runs, secrets redacted", flags: ["--origins"]
        ) { commands, arguments, _ in
            try SettingsText(try arguments.word("setting or section"), in: commands.manager.snapshot.settings)
                .text(origins: arguments.has("--origins"), commands.fingerprints)
        },
        Command(name: "status", usage: "status", role: .viewer, summary: "what runs, what was last tried, what waits") {
            commands, _, _ in StatusText.text(await commands.status.json())
        },
        Command(
            name: "history", usage: "history [--limit N] [--before ID] [--versions]", role: .viewer,
            summary: "versions, and what was refused between them", valued: ["--limit", "--before"], flags: ["--versions"]
        ) { commands, arguments, _ in try await commands.history(arguments) },
        Command(
            name: "diff", usage: "diff [A [B]]", role: .viewer, summary: "what runs against the files, a version against them, two versions"
        ) { commands, arguments, line in try await commands.diff(arguments, colour: line.isTerminal) },
        Command(name: "explain", usage: "explain KEY", role: .viewer, summary: "where a setting's value comes from, and since when") {
            commands, arguments, line in try await commands.explain(arguments, colour: line.isTerminal)
        },
        Command(
            name: "plan", usage: "plan [KEY=VALUE …] [--unset KEY …]", role: .viewer, summary: "what an apply would do; touches nothing",
            valued: ["--set", "--unset"]
        ) { commands, arguments, line in
            let edits = try commands.edits(arguments)
            let change = try await commands.manager.plan(edits).get()
            return PlanAnswer.text(commands.status.answer(to: change, commands.fingerprints), colour: line.isTerminal)
        },
    ]

    private func history(_ arguments: CommandArguments) async throws -> String {
        func number(_ option: String, _ range: ClosedRange<Int>) throws(CommandArguments.Problem) -> Int? {
            guard let text = try arguments.one(option) else { return nil }
            guard let number = Int(text), range.contains(number) else {
                throw CommandArguments.Problem(sentence: "\(option) takes a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        let query = HistoryQuery(
            before: try number("--before", 1...Int.max), limit: try number("--limit", 1...1000) ?? 20,
            includesRejected: !arguments.has("--versions"))
        return HistoryText.text(try await ledger.history(query))
    }

    private func diff(_ arguments: CommandArguments, colour: Bool) async throws -> String {
        let versions = try arguments.words.map { word throws(CommandArguments.Problem) in try Self.version(word) }
        let comparison: Comparison =
            switch versions.count {
            case 0: try await .against(running: deployment, file: nil)
            case 1, 2: try await .between(version: versions[0], versions.dropFirst().first, deployment)
            default: throw CommandArguments.Problem(sentence: "two versions at most")
            }
        return comparison.text(colour: colour, services: false)
    }

    private func explain(_ arguments: CommandArguments, colour: Bool) async throws -> String {
        guard let name = try arguments.word("setting") else { throw CommandArguments.Problem(sentence: "explain takes a setting") }
        let snapshot = manager.snapshot
        guard let key = SettingKey(name), let setting = snapshot.settings[key] else {
            throw NoSuchName(name: name, known: snapshot.settings.map(\.key.description))
        }
        var explanation = Explanation(setting, fingerprints)
        try await explanation.trace(in: ledger.reader, of: deployment.environment, below: deployment.directory)
        explanation.running = ConfigurationJSON.setting(setting, version: snapshot.version, fingerprints)
        return Explanation.text(explanation.json, colour: colour)
    }

    static func version(_ text: String) throws(CommandArguments.Problem) -> Int {
        guard let number = Int(text.hasPrefix("v") ? String(text.dropFirst()) : text), number > 0 else {
            throw CommandArguments.Problem(sentence: "'\(VisibleText.of(text))' is not a version's number")
        }
        return number
    }
}
