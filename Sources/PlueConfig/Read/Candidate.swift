public import Foundation
public import SystemPackage

/// A proposed configuration as it was read: texts, variables and overrides, nothing interpreted yet.
///
/// Everything up to the plan is a pure function of a candidate and a schema.
public struct Candidate: Sendable {
    /// Whose profile the documents are.
    public var environment: EnvironmentName
    /// The documents that count for the environment, lowest layer first.
    public var documents: [SourceText]
    /// The process's environment: `${NAME}` and `PLUE__SECTION__KEY` are looked up here.
    public var variables: [String: String]
    /// `--set section.key=value`, in the order they were given.
    public var overrides: [Override]
    /// What `${file:…}` and `${credential:…}` name, read beside the documents.
    public var secretFiles: [FilePath: Result<String, FileReadError>]
    /// What opens the encrypted values; `nil` without a keyring.
    public var keys: SecretKeys?
    /// What ``WatchedFile`` settings name, read beside the documents.
    public var watchedFiles: [FilePath: Result<WatchedFile, FileReadError>]
    /// Problems of reading and of the profile chain; a candidate that has errors here is rejected with them.
    public var problems: [Diagnostic]
    /// When it was read, for rules about time.
    public var readAt: Date

    public init(
        environment: EnvironmentName, documents: [SourceText] = [], variables: [String: String] = [:],
        overrides: [Override] = [], secretFiles: [FilePath: Result<String, FileReadError>] = [:], keys: SecretKeys? = nil,
        watchedFiles: [FilePath: Result<WatchedFile, FileReadError>] = [:], problems: [Diagnostic] = [], readAt: Date = Date()
    ) {
        self.environment = environment
        self.documents = documents
        self.variables = variables
        self.overrides = overrides
        self.secretFiles = secretFiles
        self.keys = keys
        self.watchedFiles = watchedFiles
        self.problems = problems
        self.readAt = readAt
    }

    /// What the documents are called by: `sha256:…`.
    public var digest: String { DocumentDigest.of(storedDocuments, in: environment) }

    /// The documents as history keeps them.
    public var storedDocuments: [StoredDocument] {
        documents.map { StoredDocument(name: $0.name, bytes: $0.bytes) }
    }
}

/// One document's bytes and its place in the layers.
public struct SourceText: Sendable {
    /// Which layer the document belongs to.
    public enum Role: Hashable, Sendable {
        case base
        case profile(EnvironmentName)
        case dropIn(EnvironmentName)
    }

    /// Inside the configuration directory: `base.ini`, `production.d/10-limits.ini`.
    public var name: String
    /// As messages call it: `config/base.ini`.
    public var displayName: String
    /// Which layer it is.
    public var role: Role
    /// The text as it was read, whole; it may be no INI at all.
    public var bytes: [UInt8]
    /// Who owns the file, and so may have changed it; `nil` for what is no file.
    public var owner: UInt32?

    public init(name: String, displayName: String, role: Role, bytes: [UInt8]) {
        self.name = name
        self.displayName = displayName
        self.role = role
        self.bytes = bytes
    }
}

/// A value given on the command line or through the API, above all documents.
public struct Override: Hashable, Sendable {
    /// The setting that is overridden.
    public var key: SettingKey
    /// As it would be written after `=`: quotes and substitution count.
    public var text: String

    public init(key: SettingKey, text: String) {
        self.key = key
        self.text = text
    }

    /// Reads `section.key=value`.
    /// - Throws: ``ConversionProblem`` saying the form expected.
    public init(argument: String) throws(ConversionProblem) {
        guard let equals = argument.firstIndex(of: "="), let key = SettingKey(argument[..<equals]) else {
            throw ConversionProblem(expected: "section.key=value", hint: "for example server.port=8080")
        }
        self.init(key: key, text: String(argument[argument.index(after: equals)...]))
    }
}

extension Candidate {
    /// Whether both would come out of the road the same: the same texts, variables, overrides, secrets and watched files.
    func isSame(as other: Candidate) -> Bool {
        environment == other.environment && storedDocuments == other.storedDocuments && overrides == other.overrides
            && variables == other.variables && problems == other.problems && keys?.generation == other.keys?.generation
            && secretFiles.mapValues { try? $0.get() } == other.secretFiles.mapValues { try? $0.get() }
            && watchedFiles.mapValues { try? $0.get() } == other.watchedFiles.mapValues { try? $0.get() }
    }
}

extension Candidate {
    /// The variables that the candidate takes values from, by `${NAME}` or as `PLUE__SECTION__KEY`.
    package var consumedVariables: Set<String> {
        SecretReferences(documents, overrides, variables).variables.union(variables.keys.filter { $0.hasPrefix(variablePrefix) })
    }
}

extension Candidate {
    /// The documents of a recorded version, in the layers their names say.
    public init(
        _ environment: EnvironmentName, stored: [StoredDocument], variables: [String: String], overrides: [Override] = [],
        keys: SecretKeys? = nil
    ) {
        let bytes = Dictionary(stored.map { ($0.name, $0.bytes) }, uniquingKeysWith: { first, _ in first })
        let selection = ProfileDirectory(names: bytes.keys).select(environment) {
            bytes[$0]
        } display: {
            $0
        }
        self.init(
            environment: environment, documents: selection.documents, variables: variables, overrides: overrides, keys: keys,
            problems: selection.problems(for: environment, in: ""))
        readSecretFiles()
    }

    /// Puts a text in the place of the environment's own document.
    public mutating func replaceProfile(with bytes: [UInt8], displayName: String) {
        replace(.profile, with: bytes)
        for index in documents.indices where documents[index].role == .profile(environment) { documents[index].displayName = displayName }
        readSecretFiles()
    }

    /// Reads what `${file:…}` and `${credential:…}` name and is not read yet. Blocks.
    public mutating func readSecretFiles(_ files: any FileAccess = SystemFiles()) {
        for path in SecretReferences(documents, overrides, variables).paths where secretFiles[path] == nil {
            secretFiles[path] = Self.secret(path, files)
        }
    }

    /// A secret file's text, one trailing newline taken off.
    static func secret(_ path: FilePath, _ files: any FileAccess) -> Result<String, FileReadError> {
        Result { () throws(FileReadError) in try secretText(try files.read(path, limit: longestSecret), from: path) }
    }

    static let longestSecret = 1_048_576

    /// A secret that is not text cannot be a setting's value; replacing what is wrong with it would be another secret.
    static func secretText(_ bytes: [UInt8], from path: FilePath) throws(FileReadError) -> String {
        var bytes = bytes[...]
        if bytes.last == UInt8(ascii: "\n") { bytes = bytes.dropLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes = bytes.dropLast() }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw FileReadError(path: path, cause: .notText) }
        return text
    }
}
