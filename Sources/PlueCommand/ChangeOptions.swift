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
        guard !reason.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw ValidationError("--reason takes one line of text, without control characters")
        }
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
        var query = ["reason=\(Self.escaped(reason))"]
        if let confirmWithin { query.append("confirmWithin=\(Self.escaped(confirmWithin))") }
        if replacePending { query.append("replacePending=true") }
        return DaemonClient.Request(
            method: method, path: path + "?" + query.joined(separator: "&"), body: body, type: type,
            version: ifVersion.map { "\"v\($0)\"" } ?? "*")
    }

    static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: CharacterSet(charactersIn: "a"..."z").union(.alphanumerics)) ?? ""
    }
}

extension GlobalOptions {
    /// The deployment, in the environment that the daemon runs when one does and no other is named: what is bound to an environment
    /// has to be made for that one.
    func runningDeployment() async throws -> Deployment {
        let named = try deployment()
        guard let running = await running(named) else { return named }
        return running.isSameDirectory(as: named) ? named.inEnvironment(of: running) : running
    }

    /// The deployment whose files are looked at: in the environment that the daemon runs when these are its files and no other
    /// environment is named. What a shell does not know, `$PLUE_ENVIRONMENT`, must not make it say that the files are valid.
    func deploymentLookedAt(overrides: [String] = []) async throws -> Deployment {
        let named = try deployment(overrides: overrides)
        let variable = ProcessInfo.processInfo.environment["PLUE_ENVIRONMENT"] ?? ""
        guard environment == nil, variable.isEmpty, let running = await running(named), running.isSameDirectory(as: named) else {
            return named
        }
        return named.inEnvironment(of: running)
    }

    /// What the daemon of a state directory runs, where it answers.
    private func running(_ named: Deployment) async -> Deployment? {
        guard let status = try? await client(named).get("/v1/status"),
            let running = status["environment"]?.string.flatMap({ EnvironmentName($0) }),
            let directory = status["directory"]?.string
        else { return nil }
        return Deployment(
            directory: FilePath(directory), environment: running, stateDirectory: named.stateDirectory, variables: named.variables)
    }

    /// A setting by its name.
    /// - Throws: Exit code 1, after saying that there is none, and which was meant.
    func knownSetting(_ name: String, in deployment: Deployment) throws -> SettingKey {
        let model = try deployment.model()
        if let key = SettingKey(name), model.setting(for: key) != nil { return key }
        complain(
            "there is no setting '\(name)'" + (suggestion(for: name, among: model.settingNames).map { "; did you mean '\($0)'?" } ?? ""))
        throw ExitCode.failure
    }

    /// Makes a change, by the daemon or without one.
    func make(_ deployment: Deployment, _ edits: Edits, reason: String, ifVersion: Int? = nil) async throws -> JSONValue {
        try await daemon(deployment) { daemon in
            try await daemon.ask(
                DaemonClient.Request(
                    method: .patch, path: "/v1/config?reason=\(ConditionOptions.escaped(reason))", body: EditsJSON.json(edits),
                    type: EditsJSON.mediaType, version: ifVersion.map { "\"v\($0)\"" } ?? "*"))
        } orElse: {
            try await Offline(deployment).apply(ChangeRequest(edits, cause: Offline.cause(reason: reason), ifVersion: ifVersion))
        }
    }

    /// Says what a change came to.
    /// - Throws: Exit code 75 for one that is only proposed: what follows behind `&&` has to wait as well.
    func tell(_ answer: JSONValue) throws {
        format == .json ? print(answer) : print(ChangeAnswer.text(answer))
        if answer["proposal"] != nil { throw ExitCode.conflict }
    }

    /// Makes a change and says what it came to.
    func change(_ deployment: Deployment, _ edits: Edits, reason: String, ifVersion: Int? = nil) async throws {
        let answer = try await make(deployment, edits, reason: reason, ifVersion: ifVersion)
        try tell(answer)
    }

    /// Puts on record what became of keys; a running daemon does so by itself.
    func note(keys what: String, _ deployment: Deployment) async throws {
        guard (try? await client(deployment).get("/v1/status")) == nil else { return }
        try await Offline(deployment).note(keys: what, Offline.cause(reason: ""))
    }
}

extension Deployment {
    fileprivate func isSameDirectory(as other: Deployment) -> Bool { resolvedDirectory == other.resolvedDirectory }

    fileprivate func inEnvironment(of other: Deployment) -> Deployment {
        var deployment = self
        deployment.environment = other.environment
        return deployment
    }
}
