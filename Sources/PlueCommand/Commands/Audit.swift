import ArgumentParser
import Foundation
import PlueAudit
import PlueConfig
import PlueDaemon
import PlueLedger
import Synchronization
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
            // Read while it is verified, so that what is shown is what was looked at.
            let records = Mutex([AuditRecord]())
            var filter = try selection.filter()
            let look = await AuditLook(deployment) { record in records.withLock { $0.append(record) } }
            let wanted = records.withLock(\.self).filter { filter.takes($0) }
            if options.format == .json {
                options.print(.array(wanted.map(\.json)))
            } else {
                var table = TextTable(["ENTRY", "TIME", "ACTION", "BY", "WHAT"])
                for record in wanted {
                    table.add([
                        String(record.number), record["time"] ?? "", record["action"] ?? "",
                        [record["trigger"], record["actor"]].compactMap(\.self).joined(separator: " "), record.summary,
                    ])
                }
                options.print(table.text)
            }
            guard look.report.verdict == .intact else {
                options.complain("this log cannot be trusted: \(look.report.finding)")
                throw ExitCode(look.report.verdict.rawValue)
            }
            if look.isFirst { options.complain(AuditLook.firstWords) }
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
            Held against the key and the checkpoint that this user last saw, the file audit.checkpoints, and checkpoints that were kept \
            elsewhere. Exits with 0 intact, 2 modified, 3 truncated or rolled back, 4 signed with an unknown key, 5 something is missing, \
            6 unreadable.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: ArgumentHelp("Checkpoints that were kept elsewhere, as in audit.checkpoints.", valueName: "file"))
    var checkpoint: [String] = []

    @Option(help: ArgumentHelp("The public key, kept elsewhere, as in audit.pub.", valueName: "file"))
    var publicKey: String?

    @Flag(help: "Take the key of --public-key, although you have seen another one before.")
    var acceptNewKey = false

    @Flag(help: "Forget what you last saw, as after a restored backup; it is shown, and put aside.")
    var forget = false

    func validate() throws {
        guard !acceptNewKey || publicKey != nil else { throw ValidationError("--accept-new-key takes the key of --public-key") }
    }

    func run() async throws {
        let deployment = try options.deployment()
        do {
            var kept: [AuditVerifier.Witness] = []
            for file in checkpoint {
                let found = Checkpoint.all(in: String(decoding: try SystemFiles().read(FilePath(file)), as: UTF8.self))
                guard !found.isEmpty else { throw ValidationError("\(file) holds no checkpoint") }
                kept += found.map { .init($0, in: file) }
            }
            let key = try publicKey.map(key)
            if forget { try forget(Witness(of: deployment.stateDirectory, deployment.variables)) }
            let look = await AuditLook(deployment, kept: kept, key: key, acceptsNewKey: acceptNewKey)
            let report = look.report
            if options.format == .json {
                options.print([
                    "verdict": .string("\(report.verdict)"), "finding": .string(report.finding), "entries": .integer(report.entries),
                    "unsigned": .integer(report.unsigned), "firstLook": .boolean(look.isFirst),
                ])
            } else {
                let isFirst = look.isFirst && report.verdict == .intact
                options.print(VisibleText.of("\(report.verdict): \(report.finding)" + (isFirst ? "; \(AuditLook.firstWords)" : "")))
            }
            if report.verdict != .intact { throw ExitCode(report.verdict.rawValue) }
        } catch {
            throw options.end(error)
        }
    }

    /// Says what is forgotten, so that whoever forgets can compare it.
    private func forget(_ witness: Witness) throws {
        switch witness.memory {
        case .nothing: return
        case .seen(let key, let checkpoint): options.complain("forgotten: \(checkpoint.size) entries, signed with \(key.text)")
        case .unreadable(let problem): options.complain("forgotten, although it could not be read: \(problem)")
        }
        do {
            try witness.forget()
        } catch {
            options.complain("\(witness.path) cannot be put aside")
            throw ExitCode.failure
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
            var filter = try selection.filter()
            try AuditReader.read(database: deployment.stateDirectory.appending("plue.db").string) { record in
                if filter.takes(record) { options.print(form == .csv ? record.csv : record.json.text()) }
                return true
            }
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

    func filter() throws -> AuditFilter { AuditFilter(earliest: try earliest(), key: key, actor: actor) }
}

extension AuditRecord {
    /// The entry's own words, in a few.
    fileprivate var summary: String {
        let parts = [
            self["version"].map { "version \($0)" }, self["outcome"], self["reason"].map { "“\($0)”" },
            self["codes"], self["attempts"].map { "attempts \($0)" }, self["key"], self["keys"],
        ].compactMap(\.self)
        let changes = fields.filter { $0.name == "change" }.map(\.value)
        return (parts + changes.prefix(3)).joined(separator: ", ") + (changes.count > 3 ? ", …" : "")
    }

    private static let columns = [
        "seq", "time", "host", "action", "actor", "trigger", "reason", "environment", "attempt", "version", "outcome", "phase", "codes",
    ]

    static var csvHeader: String { (columns + ["changes"]).joined(separator: ",") }

    fileprivate var csv: String {
        let changes = fields.filter { $0.name == "change" }.map(\.value).joined(separator: "; ")
        return (Self.columns.map { self[$0] ?? "" } + [changes]).map(Self.cell).joined(separator: ",")
    }

    /// Quoted; and never the beginning of a formula, which spreadsheets would carry out, also after blanks and in wide letters.
    private static func cell(_ text: String) -> String {
        let start = text.unicodeScalars.first { !$0.properties.isWhitespace && $0.properties.generalCategory != .format }
        let isFormula = start.map { "=+-@＝＋－＠".unicodeScalars.contains($0) } ?? false
        let isBroken = text.unicodeScalars.first.map { "\t\r\n".unicodeScalars.contains($0) } ?? false
        return "\"" + ((isFormula || isBroken ? "'" : "") + text).replacing("\"", with: "\"\"") + "\""
    }
}
