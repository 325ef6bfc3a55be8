public import Foundation
public import Logging
public import PlueConfig
public import PlueSecrets
public import SystemPackage

/// Where one installation of Plue lives: its configuration, its state, and which environment it is.
///
/// The daemon and the offline command line share it, so that both see the same thing.
public struct Deployment: Sendable {
    public var directory: FilePath
    public var environment: EnvironmentName
    public var stateDirectory: FilePath
    public var overrides: [Override]
    /// The process's environment, in which `${NAME}` and `PLUE__…` are looked up.
    public var variables: [String: String]
    /// Whose encrypted values these are: `$PLUE_APPLICATION`, else `plue`. Never from a file that also holds values.
    public let application: String
    /// Opens encrypted values. One for all candidates, so that what was opened once is remembered.
    public let secrets: SecretOpener

    public init(
        directory: FilePath, environment: EnvironmentName, stateDirectory: FilePath, overrides: [Override] = [],
        variables: [String: String] = ProcessInfo.processInfo.environment
    ) {
        self.directory = directory
        self.environment = environment
        self.stateDirectory = stateDirectory
        self.overrides = overrides
        self.variables = variables
        application = variables["PLUE_APPLICATION"].flatMap { $0.isEmpty ? nil : $0 } ?? "plue"
        secrets = SecretOpener(KeyringFile.locate(variables: variables, stateDirectory: stateDirectory))
    }

    /// The socket that the daemon listens on for the command line.
    public var socket: FilePath { stateDirectory.appending("plue.sock") }

    /// The headers by which a command line says which installation it means.
    public static let environmentHeader = "plue-environment"
    public static let directoryHeader = "plue-config-dir"

    /// The configuration directory, links followed, by which two ways of naming it are compared.
    public var resolvedDirectory: FilePath { FilePath(URL(filePath: directory.string).resolvingSymlinksInPath().path) }

    /// What candidates are read from.
    public var source: DirectorySource {
        DirectorySource(directory, variables: variables, overrides: overrides) { readKeys() }
    }

    /// The application's own sections, described by `schema.json` in the configuration directory; `nil` when there is none.
    /// - Throws: ``ConfigurationError/invalid(_:)`` with the place of what is wrong with it.
    public func extraSections() throws(ConfigurationError) -> SectionModel? {
        let path = directory.appending("schema.json")
        guard SystemFiles().status(of: path) != nil else { return nil }
        let bytes: [UInt8]
        do {
            bytes = try SystemFiles().read(path)
        } catch {
            throw .invalid([Diagnostic("unreadable-schema", "\(path) cannot be read: \(error)")])
        }
        do {
            return try SectionModel(jsonSchema: bytes, name: path.string)
        } catch {
            throw .invalid(error.diagnostics)
        }
    }

    /// Options of a manager of this deployment.
    public func options(
        recorder: (any Recorder)? = nil, logger: Logger
    ) throws(ConfigurationError) -> ConfigManager<DaemonSettings>.Options {
        var options = ConfigManager<DaemonSettings>.Options()
        options.recorder = recorder ?? MemoryRecorder()
        options.extraSections = try extraSections()
        options.policy = \.reload.policy
        options.logger = logger
        options.fingerprints = fingerprints()
        options.review = { running, change in ApprovalPolicy(running.security).problem(with: change) }
        return options
    }
}

extension Deployment {
    /// `./config` if it is there, else `/etc/plue`.
    public static var defaultDirectory: FilePath {
        SystemFiles().status(of: "config")?.kind == .directory ? "config" : "/etc/plue"
    }

    /// `$STATE_DIRECTORY` (systemd), else `$XDG_STATE_HOME/plue`, else `~/.local/state/plue`; for root, and for the user it belongs to,
    /// `/var/lib/plue`: that user of a package's installation has the unit's directory in a shell as well.
    public static func defaultStateDirectory(_ variables: [String: String] = ProcessInfo.processInfo.environment) -> FilePath {
        // systemd gives a list when a unit has several; the first is ours.
        if let given = variables["STATE_DIRECTORY"]?.split(separator: ":").first { return FilePath(String(given)) }
        if let state = variables["XDG_STATE_HOME"], !state.isEmpty { return FilePath(state).appending("plue") }
        var found = stat()
        if geteuid() == 0 || (stat("/var/lib/plue", &found) == 0 && found.st_uid == geteuid()) { return "/var/lib/plue" }
        return FilePath(variables["HOME"] ?? "/").appending(".local/state/plue")
    }
}
