import ArgumentParser
import Foundation
import PlueConfig
import PlueDaemon
import SystemPackage

/// The options that every command takes.
struct GlobalOptions: ParsableArguments {
    @Option(
        name: .customLong("config-dir"),
        help: ArgumentHelp("The configuration directory. (default: ./config if it exists, else /etc/plue)", valueName: "dir"))
    var configDirectory: String?

    @Option(
        name: [.customShort("e"), .customLong("environment")],
        help: ArgumentHelp("The environment. (default: $PLUE_ENVIRONMENT, else the running daemon's, else development)", valueName: "name"))
    var environment: String?

    @Option(
        name: .customLong("state-dir"),
        help: ArgumentHelp(
            "Where history and the daemon's socket are. (default: $STATE_DIRECTORY, else $XDG_STATE_HOME/plue; for root and its owner /var/lib/plue)",
            valueName: "dir"))
    var stateDirectory: String?

    @Option(help: "How to print.")
    var format: Format = .text

    @Flag(name: .customLong("no-color"), help: "Plain text, also on a terminal.")
    var noColor = false

    /// Moves global options from in front of the command behind it, where the parser looks for them: both places are right.
    static func behindCommand(_ arguments: [String]) -> [String] {
        var rest = arguments[...]
        var moved: [String] = []
        while let option = rest.first, let name = option.split(separator: "=", maxSplits: 1).first, isGlobal.keys.contains(String(name)) {
            let takesValue = isGlobal[option] == true
            moved += rest.prefix(takesValue ? 2 : 1)
            rest = rest.dropFirst(takesValue ? 2 : 1)
        }
        guard !moved.isEmpty, !rest.isEmpty else { return arguments }
        let end = rest.firstIndex(of: "--") ?? rest.endIndex
        return rest[..<end] + moved + rest[end...]
    }

    /// The options by name, and whether the next argument is the value.
    private static let isGlobal = [
        "--config-dir": true, "--environment": true, "-e": true, "--state-dir": true, "--format": true, "--no-color": false,
    ]

    enum Format: String, CaseIterable, ExpressibleByArgument { case text, json, sarif }

    /// Colour is for terminals only, and only where nobody objects (no-color.org).
    func usesColour(on descriptor: Int32) -> Bool {
        let variables = ProcessInfo.processInfo.environment
        return !noColor && format == .text && isatty(descriptor) == 1 && (variables["NO_COLOR"] ?? "").isEmpty
            && variables["TERM"] != "dumb"
    }

    /// The installation that the options name.
    /// - Throws: A usage error when a name is not one.
    func deployment(overrides: [String] = []) throws -> Deployment {
        let variables = ProcessInfo.processInfo.environment
        let name = environment ?? variables["PLUE_ENVIRONMENT"].flatMap { $0.isEmpty ? nil : $0 } ?? "development"
        guard let environment = EnvironmentName(name) else {
            throw ValidationError("'\(name)' is not an environment's name: lower-case letters, digits and '-', starting with a letter")
        }
        return Deployment(
            directory: configDirectory.map { FilePath($0) } ?? Deployment.defaultDirectory, environment: environment,
            stateDirectory: stateDirectory.map { FilePath($0) } ?? Deployment.defaultStateDirectory(variables),
            overrides: try overrides.map { argument in
                do throws(ConversionProblem) {
                    return try Override(argument: argument)
                } catch {
                    throw ValidationError("--set \(argument.prefix { $0 != "=" }): expected \(error.expected); \(error.hint ?? "")")
                }
            }, variables: variables)
    }
}

/// The exit codes of the command line, after sysexits.h.
extension ExitCode {
    static let invalidConfiguration = ExitCode(65)
    static let unreachable = ExitCode(69)
    static let conflict = ExitCode(75)
    static let notPermitted = ExitCode(77)
}
