import ArgumentParser
import Foundation
import PlueAudit
import PlueConfig
import PlueDaemon
import PlueLedger
import SystemPackage

/// `plue audit`: who changed what, when and why; and whether that is what was written.
struct Audit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The audit log: who did what, when and why, and whether anybody changed it since.",
        subcommands: [AuditList.self, AuditVerify.self, AuditExport.self])
}

/// `plue audit log`
struct AuditList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "List the entries, oldest first; warns when the log is not what was last seen.")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var selection: AuditSelection

    func run() async throws {
        let deployment = try options.deployment()
        do {
            let report = try await options.verify(deployment, kept: [], key: nil)
            var table = TextTable(["ENTRY", "TIME", "ACTION", "BY", "WHAT"])
            var entries: [JSONValue] = []
            try selection.read(deployment) { record in
                if options.format == .json {
                    entries.append(record.json)
                } else {
                    table.add([
                        String(record.number), record["time"] ?? "", record["action"] ?? "",
                        [record["trigger"], record["actor"]].compactMap(\.self).joined(separator: " "), record.summary,
                    ])
                }
            }
            options.format == .json ? options.print(.array(entries)) : options.print(table.text)
            guard report.verdict == .intact else {
                options.complain("this log cannot be trusted: \(report.finding)")
                throw ExitCode(report.verdict.rawValue)
            }
        } catch {
            throw options.end(error)
        }
    }
}

/// `plue audit verify`
struct AuditVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Look whether the log and the history are what was written; reads the database only.",
        discussion: """
            Held against the key and the checkpoint that this user last saw, and against checkpoints that were kept elsewhere. \
            Exits with 0 intact, 2 modified, 3 truncated or rolled back, 4 signed with an unknown key, 5 something is missing, 6 unreadable.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: ArgumentHelp("Checkpoints that were kept elsewhere, as in audit.checkpoints.", valueName: "file"))
    var checkpoint: [String] = []

    @Option(help: ArgumentHelp("The public key, kept elsewhere, as in audit.pub.", valueName: "file"))
    var publicKey: String?

    func run() async throws {
        let deployment = try options.deployment()
        do {
            var kept: [Checkpoint] = []
            for file in checkpoint {
                let found = Checkpoint.all(in: String(decoding: try SystemFiles().read(FilePath(file)), as: UTF8.self))
                guard !found.isEmpty else { throw ValidationError("\(file) holds no checkpoint") }
                kept += found
            }
            let report = try await options.verify(deployment, kept: kept, key: try publicKey.map(key))
            if options.format == .json {
                options.print([
                    "verdict": .string("\(report.verdict)"), "finding": .string(report.finding), "entries": .integer(report.entries),
                ])
            } else {
                options.print(report.verdict == .intact ? "intact: \(report.finding)" : "\(report.verdict): \(report.finding)")
            }
            if report.verdict != .intact { throw ExitCode(report.verdict.rawValue) }
        } catch {
            throw options.end(error)
        }
    }

    private func key(_ file: String) throws -> VerifierKey {
        guard let key = VerifierKey(String(decoding: try SystemFiles().read(FilePath(file), limit: 4096), as: UTF8.self)) else {
            throw ValidationError("\(file) is not a public key as in audit.pub")
        }
        return key
    }
}

/// `plue audit export`
struct AuditExport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Print the entries for other programs.",
        discussion: "In CSV a cell that a spreadsheet would take for a formula starts with an apostrophe.")

    enum Form: String, CaseIterable, ExpressibleByArgument { case jsonl, csv }

    @OptionGroup var options: GlobalOptions
    @OptionGroup var selection: AuditSelection

    @Option(name: .customLong("as"), help: "The form.")
    var form: Form = .jsonl

    func run() async throws {
        let deployment = try options.deployment()
        do {
            if form == .csv { options.print(AuditRecord.csvHeader) }
            try selection.read(deployment) { record in options.print(form == .csv ? record.csv : record.json.text()) }
        } catch {
            throw options.end(error)
        }
    }
}

/// Which entries are wanted.
struct AuditSelection: ParsableArguments {
    @Option(help: ArgumentHelp("Since a time, 2026-11-24 or 2026-11-24T12:00:00Z, or for a time, 1h.", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Only what changed this setting, or one in this section.", valueName: "section[.key]"))
    var key: String?

    @Option(help: ArgumentHelp("Only what this actor did, as in unix:0.", valueName: "actor"))
    var actor: String?

    func validate() throws { _ = try earliest() }

    /// The earliest time wanted, as entries write it.
    private func earliest() throws -> String {
        guard let since else { return "" }
        if let time = try? Duration(setting: .scalar(since)) {
            let start = Date(timeIntervalSinceNow: -(time / .seconds(1)))
            return start.formatted(.iso8601.year().month().day().timeZone(separator: .omitted).time(includingFractionalSeconds: true))
        }
        // A day is the beginning of its first second; both are beginnings of an entry's time.
        guard since.count >= 10, since.prefix(10).split(separator: "-").count == 3, since.prefix(4).allSatisfy(\.isNumber) else {
            throw ValidationError("--since takes a time such as 2026-11-24, 2026-11-24T12:00:00Z or 1h")
        }
        return since.replacing("Z", with: "")
    }

    func read(_ deployment: Deployment, _ take: (AuditRecord) throws -> Void) throws {
        let earliest = try earliest()
        try AuditReader.read(database: deployment.stateDirectory.appending("plue.db").string) { record in
            if record["time"] ?? "" < earliest { return true }
            if let actor, record["actor"] != actor { return true }
            if let key {
                let isConcerned = record.fields.contains { field in
                    guard field.name == "change" else { return false }
                    return field.value.hasPrefix(key + " = ") || field.value.hasPrefix(key + ".")
                }
                if !isConcerned { return true }
            }
            try take(record)
            return true
        }
    }
}

extension GlobalOptions {
    /// Verifies a deployment's log against what this user last saw of it and what else was kept, and remembers it when it is intact.
    func verify(_ deployment: Deployment, kept: [Checkpoint], key given: VerifierKey?) async throws -> AuditVerifier.Report {
        let directory = deployment.stateDirectory
        let database = directory.appending("plue.db")
        guard SystemFiles().status(of: database) != nil else { throw LedgerError.missing(database) }
        let witness = Witness(of: directory, deployment.variables)
        let published = (try? SystemFiles().read(directory.appending("audit.pub"), limit: 4096)).flatMap {
            VerifierKey(String(decoding: $0, as: UTF8.self))
        }
        guard let key = given ?? witness.seen?.key ?? published else {
            return AuditVerifier.Report(
                verdict: .unknownKey, finding: "there is no public key: \(directory)/audit.pub is missing or is none")
        }
        var kept = kept
        if let seen = witness.seen, seen.key == key { kept.append(seen.checkpoint) }
        let verifier = AuditVerifier(key: key, kept: kept)
        let report = await withCheckedContinuation { done in
            Thread { done.resume(returning: verifier.verify(database: database.string)) }.start()
        }
        if report.verdict == .intact, let newest = report.newest { try? witness.remember(key, newest) }
        return report
    }
}

extension AuditRecord {
    /// The entry's own words, in a few.
    fileprivate var summary: String {
        let parts = [
            self["version"].map { "version \($0)" }, self["outcome"], self["reason"].map { "“\($0)”" },
            self["codes"], self["attempts"].map { "attempts \($0)" },
        ].compactMap(\.self)
        let changes = fields.filter { $0.name == "change" }.map(\.value)
        let text = (parts + changes.prefix(3)).joined(separator: ", ") + (changes.count > 3 ? ", …" : "")
        // What was written may hold anything.
        return text.unicodeScalars.map { $0.properties.generalCategory == .control ? "·" : String($0) }.joined()
    }

    fileprivate var json: JSONValue {
        var json: JSONValue = [:]
        var changes: [JSONValue] = []
        for field in fields {
            if field.name == "change" {
                changes.append(.string(field.value))
            } else if let number = Int(field.value), String(number) == field.value {
                json[field.name] = .integer(number)
            } else {
                json[field.name] = .string(field.value)
            }
        }
        if !changes.isEmpty { json["change"] = .array(changes) }
        return json
    }

    private static let columns = [
        "seq", "time", "host", "action", "actor", "trigger", "reason", "environment", "attempt", "version", "outcome", "phase", "codes",
    ]

    static var csvHeader: String { (columns + ["changes"]).joined(separator: ",") }

    fileprivate var csv: String {
        let changes = fields.filter { $0.name == "change" }.map(\.value).joined(separator: "; ")
        return (Self.columns.map { self[$0] ?? "" } + [changes]).map(Self.cell).joined(separator: ",")
    }

    /// Quoted; and never the beginning of a formula, which spreadsheets would carry out.
    private static func cell(_ text: String) -> String {
        let isFormula = text.unicodeScalars.first.map { "=+-@\t\r\n".unicodeScalars.contains($0) } ?? false
        return "\"" + ((isFormula ? "'" : "") + text).replacing("\"", with: "\"\"") + "\""
    }
}
