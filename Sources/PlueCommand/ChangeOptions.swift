import ArgumentParser
import Foundation
import PlueConfig
import PlueDaemon
import SystemPackage

/// What a change consists of, for `plan` and `apply`.
struct EditOptions: ParsableArguments {
    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "Set a setting in the document that owns it; written as after '=' in a document.", valueName: "section.key=value"))
    var settings: [String] = []

    @Option(name: .customLong("unset"), help: ArgumentHelp("Delete a setting, or a whole section.", valueName: "section[.key]"))
    var removals: [String] = []

    @Option(help: ArgumentHelp("Delete a document.", valueName: "name"))
    var delete: [String] = []

    @Argument(
        help: ArgumentHelp(
            "A file to take the place of the environment's own document; NAME=FILE for another, as in base.ini=new.ini.",
            valueName: "file"))
    var files: [String] = []

    /// The change, its files read.
    /// - Throws: A usage error; ``FileReadError``.
    func edits(in deployment: Deployment) throws -> Edits {
        var edits = Edits()
        for file in files {
            let parts = file.split(separator: "=", maxSplits: 1)
            let isNamed = parts.count == 2 && parts[0].hasSuffix(".ini")
            let name = isNamed ? String(parts[0]) : "\(deployment.environment).ini"
            let bytes = try SystemFiles().read(FilePath(isNamed ? String(parts[1]) : file))
            guard String(validating: bytes, as: UTF8.self) != nil else { throw ValidationError("\(file) is not UTF-8 text") }
            edits.steps.append(.replace(document: name, with: bytes))
        }
        edits.steps += delete.map { .removeDocument($0) }
        for removal in removals {
            let model = try deployment.model()
            // [a.b] is a section and b may be a key of [a]: what there is decides, the section first.
            if model.section(named: removal) == nil, let key = SettingKey(removal) {
                edits.steps.append(.remove(key))
            } else {
                edits.steps.append(.removeSection(removal))
            }
        }
        for setting in settings {
            do throws(ConversionProblem) {
                let override = try Override(argument: setting)
                edits.steps.append(.set(override.key, to: override.text))
            } catch {
                throw ValidationError("--set \(setting.prefix { $0 != "=" }): expected \(error.expected); \(error.hint ?? "")")
            }
        }
        return edits
    }
}

/// Under which conditions a change is made.
struct ConditionOptions: ParsableArguments {
    @Option(help: "Why; kept in the history.")
    var reason: String

    @Option(
        help: ArgumentHelp("Take the change back unless 'plue confirm' follows within this time, as in 60s.", valueName: "duration"))
    var confirmWithin: String?

    @Option(help: ArgumentHelp("Only if this version still runs.", valueName: "version"))
    var ifVersion: Int?

    @Flag(help: "Take the place of a change that waits to be confirmed.")
    var replacePending = false

    func validate() throws {
        guard !reason.trimmingCharacters(in: .whitespaces).isEmpty else { throw ValidationError("--reason takes a text") }
        guard reason.utf8.count <= 1000 else { throw ValidationError("--reason takes at most 1000 bytes") }
        _ = try time()
    }

    /// How long the change waits to be confirmed.
    func time() throws -> Duration? {
        guard let confirmWithin else { return nil }
        guard let time = try? Duration(setting: .scalar(confirmWithin)), ChangeRequest.confirmationTimes.contains(time) else {
            throw ValidationError("--confirm-within takes a duration between 1s and 7d, such as 60s")
        }
        return time
    }

    /// The same for the daemon.
    func request(_ method: DaemonClient.Method, _ path: String, _ body: JSONValue, type: String) -> DaemonClient.Request {
        var query = ["reason=\(escaped(reason))"]
        if let confirmWithin { query.append("confirmWithin=\(escaped(confirmWithin))") }
        if replacePending { query.append("replacePending=true") }
        return DaemonClient.Request(
            method: method, path: path + "?" + query.joined(separator: "&"), body: body, type: type,
            version: ifVersion.map { "\"v\($0)\"" } ?? "*")
    }

    private func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: CharacterSet(charactersIn: "a"..."z").union(.alphanumerics)) ?? ""
    }
}
