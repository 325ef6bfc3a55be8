import ArgumentParser
import Foundation
import PlueConfig
import PlueDaemon
import PlueLedger
import PlueSecrets
import SystemPackage

/// `plue secret`: values that stand encrypted in the documents, and the keys that open them.
struct SecretCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secret",
        abstract: "Encrypted values in the documents, and the keys that open them.",
        subcommands: [
            Keygen.self, Encrypt.self, SecretEdit.self, Reveal.self, Rotate.self, SecretVerify.self, Retire.self,
        ])
}

/// `plue secret keygen`
struct Keygen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a keyring with one key.",
        discussion: """
            In $PLUE_KEYRING_FILE, else in the state directory. Keep a copy in a safe place: without it no encrypted value ever opens \
            again. A keyring that is there already is never written over.
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let deployment = try options.deployment()
        do {
            let key = DataKey()
            try deployment.secrets.file.create(Keyring(key, created: Date()))
            try? await options.note(keys: "\(key.id) active", deployment)
            options.format == .json
                ? options.print(["keyring": .string(deployment.secrets.file.path.string), "key": .string(key.id.rawValue)])
                : options.print("\(deployment.secrets.file.path) with the key \(key.id); keep a copy of it in a safe place")
        } catch {
            throw options.end(error)
        }
    }
}

/// `plue secret encrypt`
struct Encrypt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Encrypt a text as a setting's value, in the document that has it.",
        discussion: """
            The text comes from standard input, one line end at its end left out, or is asked for on a terminal; never from the command \
            line, where others could see it. The value stands in the place of the one that is there, comments stay.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(help: "Why; kept in the history.")
    var reason = "encrypted"

    @Option(help: ArgumentHelp("The document to write it into, instead of the one that has the setting.", valueName: "name"))
    var document: String?

    @Flag(help: "Print the encrypted value instead of writing it.")
    var print = false

    @Argument(help: "The setting, section.key.")
    var key: String

    func run() async throws {
        do {
            let deployment = try await options.runningDeployment()
            let key = try options.knownSetting(key, in: deployment)
            let text = try await document == nil ? deployment.document(holding: key) : deployment.document(named: document)
            let plaintext = try PlaintextInput.read(prompt: "\(key): ")
            let token = try deployment.encrypted(plaintext, for: key, in: text)
            guard !print else { return options.print(token) }
            let edits = Edits([.setIn(document: text.name, key, to: token)])
            try await options.change(deployment, edits, reason: reason)
        } catch {
            throw options.end(error)
        }
    }
}

/// `plue secret reveal`
struct Reveal: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a secret in plain text; who did it, and why, is put on record first.")

    @OptionGroup var options: GlobalOptions

    @Option(help: "Why; kept in the audit log.")
    var reason = ""

    @Argument(help: "The setting, section.key.")
    var key: String

    func run() async throws {
        let deployment = try options.deployment()
        do {
            let key = try options.knownSetting(key, in: deployment)
            let path = (key.section.split(separator: ".").map(String.init) + [key.name]).joined(separator: "/")
            let answer = try await options.daemon(deployment) { daemon in
                try await daemon.ask(.init(method: .post, path: "/v1/reveal/\(path)?reason=\(ConditionOptions.escaped(reason))"))
            } orElse: {
                try await Offline(deployment).reveal(key, Offline.cause(reason: reason))
            }
            guard options.format != .json else { return options.print(answer) }
            guard let text = RevealAnswer.text(answer) else {
                options.complain("\(key) is not set")
                throw ExitCode.failure
            }
            options.print(text)
        } catch {
            throw options.end(error)
        }
    }
}

/// `plue secret verify`
struct SecretVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Say which key opens how many values, in the documents and in kept versions, and what does not open.")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let deployment = try options.deployment()
        do {
            let usage = try await KeyRotation(deployment).usage()
            let problems = deployment.unopenable(try await deployment.encryptedEntries().entries)
            if options.format == .json {
                options.print([
                    "keys": .array(
                        usage.map { key in
                            [
                                "id": .string(key.key.rawValue), "state": key.state.map { .string($0.rawValue) } ?? .null,
                                "values": .integer(key.values), "documents": .array(key.documents.sorted().map { .string($0) }),
                                "versions": .integer(key.versions.count), "newestVersion": key.versions.max().map { .integer($0) } ?? .null,
                            ]
                        }),
                    "problems": DiagnosticJSON.report(problems)["diagnostics"] ?? [],
                ])
            } else {
                var table = TextTable(["KEY", "STATE", "VALUES", "KEPT VERSIONS", "NEEDED BY"])
                for key in usage {
                    table.add([
                        key.key.rawValue, key.state?.rawValue ?? "not in the keyring", String(key.values), String(key.versions.count),
                        key.users.isEmpty ? "nothing" : key.users.joined(separator: ", "),
                    ])
                }
                options.print(table.text)
                if !problems.isEmpty { options.report(problems) }
            }
            if !problems.isEmpty { throw ExitCode.invalidConfiguration }
        } catch {
            throw options.end(error)
        }
    }
}

/// `plue secret retire`
struct Retire: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let go of a key for good; refused while anything needs it.",
        discussion: """
            What kept versions hold under it could never be rolled back to: with --despite-history that is accepted. Nothing that is \
            encrypted with the key opens again, backups included.
            """)

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Although kept versions need it.")
    var despiteHistory = false

    @Argument(help: "The key, as 'plue secret verify' names it.")
    var key: String

    func run() async throws {
        let deployment = try options.deployment()
        do {
            guard let id = KeyID(key) else { throw ValidationError("'\(key)' is not a key's name, such as k0123456789") }
            let usage = try await KeyRotation(deployment).usage().first { $0.key == id }
            let reading = try deployment.secrets.file.read()
            var keyring = reading.keyring
            if let usage, usage.documents.isEmpty, !usage.versions.isEmpty, !despiteHistory {
                options.complain(
                    "\(id) is still needed by \(usage.users.joined(separator: ", ")): rolling back to \(usage.versions.count == 1 ? "it" : "them") needs it; give that up with --despite-history, or wait until \(usage.versions.count == 1 ? "it is" : "they are") pruned"
                )
                throw ExitCode.failure
            }
            try keyring.retire(id, neededBy: usage?.documents.sorted() ?? [])
            try deployment.secrets.file.replace(reading, with: keyring)
            try? await options.note(keys: "\(id) retired", deployment)
            options.format == .json ? options.print(["retired": .string(id.rawValue)]) : options.print("\(id) is retired")
        } catch {
            throw options.end(error)
        }
    }
}
