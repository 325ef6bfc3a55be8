public import ArgumentParser
import Foundation
public import PlueConfig
import PlueDaemon

/// `plue token`: who else may use the API.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make, list and revoke the tokens that the API is used with.",
        subcommands: [Create.self, List.self, Revoke.self])

    /// `plue token create`
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token, which is shown once.",
            discussion: """
                A viewer reads, an operator changes settings as well, an admin may everything. With --sections the token sees and changes \
                these sections only, and nothing that is about the configuration as a whole.
                """)

        @OptionGroup var options: GlobalOptions

        @Option(help: "What it may do: viewer, operator or admin.")
        var role: Role

        @Option(help: ArgumentHelp("Only these sections, and what is in them.", valueName: "a,b"))
        var sections: String?

        @Option(help: ArgumentHelp("When it ends, as in 30d; never unless given.", valueName: "duration"))
        var expires: String?

        @Option(help: "Why; kept in the audit log.")
        var reason = ""

        @Argument(help: "What it is called, in history and audit too.")
        var name: String

        func run() async throws {
            do {
                let deployment = try await options.runningDeployment()
                let names = sections?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
                if let names, names.isEmpty { throw ValidationError("--sections names at least one section") }
                let request: TokenRequest
                do throws(TokenRequest.Malformed) {
                    request = try TokenRequest(
                        name: name, role: role.rawValue, sections: names ?? [], lifetime: expires, schema: try model(deployment))
                } catch {
                    throw ValidationError(error.description)
                }
                let answer = try await options.daemon(deployment) { daemon in
                    try await daemon.ask(
                        .init(
                            method: .post, path: "/v1/tokens?reason=\(ConditionOptions.escaped(reason))",
                            body: JSONValue([
                                "name": .string(name), "role": .string(role.rawValue),
                                "sections": names.map { .array($0.map { .string($0) }) }, "expires": expires.map { .string($0) },
                            ])))
                } orElse: {
                    try await Offline(deployment).createToken(request, Offline.cause(reason: reason))
                }
                guard options.format != .json else { return options.print(answer) }
                options.print(answer["token"]?.string ?? "")
                if isatty(STDOUT_FILENO) == 1 {
                    options.complain(
                        "this is the only time it is shown; it \(answer["expires"]?.string.map { "ends \($0)" } ?? "never ends by itself")")
                }
            } catch {
                throw options.end(error)
            }
        }

        /// A schema that is wrong is no reason to have no token: it then says only that it is wrong.
        private func model(_ deployment: Deployment) throws(TokenRequest.Malformed) -> SectionModel {
            do { return try deployment.model() } catch { return DaemonSettings.schema.model }
        }
    }

    /// `plue token list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the tokens there are; the tokens themselves are not kept.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            do {
                let deployment = try options.deployment()
                let answer = try await options.daemon(deployment) {
                    try await $0.get("/v1/tokens")
                } orElse: {
                    try await Offline(deployment).tokens()
                }
                guard options.format != .json else { return options.print(answer) }
                let tokens = answer["tokens"]?.elements ?? []
                guard !tokens.isEmpty else { return options.print("there is no token") }
                var table = TextTable(["NAME", "ROLE", "SECTIONS", "MADE BY", "EXPIRES", "LAST USED"])
                for token in tokens {
                    table.add([
                        token["name"]?.string ?? "", token["role"]?.string ?? "",
                        token["sections"]?.elements.compactMap(\.string).joined(separator: ",").nonEmpty ?? "all",
                        token["madeBy"]?.string ?? "",
                        token["expired"]?.boolean == true ? "expired" : token["expires"]?.string ?? "never",
                        token["lastUsed"]?.string ?? "never",
                    ])
                }
                options.print(table.text)
            } catch {
                throw options.end(error)
            }
        }
    }

    /// `plue token revoke`
    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a token: it counts no more, nor does a session or a stream that it opened.")

        @OptionGroup var options: GlobalOptions

        @Option(help: "Why; kept in the audit log.")
        var reason = ""

        @Argument(help: "What it is called.")
        var name: String

        func run() async throws {
            do {
                let deployment = try options.deployment()
                let answer = try await options.daemon(deployment) { daemon in
                    try await daemon.ask(
                        .init(
                            method: .delete,
                            path: "/v1/tokens/\(ConditionOptions.escaped(name))?reason=\(ConditionOptions.escaped(reason))"))
                } orElse: {
                    try await Offline(deployment).revokeToken(name, Offline.cause(reason: reason))
                }
                options.format == .json ? options.print(answer) : options.print("\(name) is revoked")
            } catch {
                throw options.end(error)
            }
        }
    }
}

extension Role: ExpressibleByArgument {}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
