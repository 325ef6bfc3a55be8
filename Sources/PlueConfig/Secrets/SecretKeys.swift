public import SystemPackage

/// What opens encrypted values, as it was at one moment; it belongs to a candidate as its texts do.
///
/// PlueSecrets' keyring gives these. What they opened once they may remember, so that a reload costs what changed.
public struct SecretKeys: Sendable {
    /// Tells the keys of one moment from those of another.
    public var generation: String
    /// The files whose change may mean other keys.
    public var paths: Set<FilePath>
    /// What is wrong with the keyring itself: it can be read by others, or not at all.
    public var problems: [Diagnostic]
    /// Opens a value in its place.
    public var open: @Sendable (_ token: String, _ place: SecretPlace) throws(UndecryptableSecret) -> Secret<String>

    public init(
        generation: String, paths: Set<FilePath> = [], problems: [Diagnostic] = [],
        open: @escaping @Sendable (_ token: String, _ place: SecretPlace) throws(UndecryptableSecret) -> Secret<String>
    ) {
        self.generation = generation
        self.paths = paths
        self.problems = problems
        self.open = open
    }
}

/// Where an encrypted value stands. A value that is moved elsewhere does not open there.
public struct SecretPlace: Hashable, Sendable {
    /// The profile of the document that holds it: `base`, `production`; for a variable or a flag, the environment.
    public var profile: String
    /// The setting that the value is bound to.
    public var key: SettingKey
    /// The setting's type, as ``ValueKind/name`` has it.
    public var type: String

    public init(profile: String, key: SettingKey, type: String) {
        self.profile = profile
        self.key = key
        self.type = type
    }
}

/// Why an encrypted value does not open. Holds nothing of the value or of a key.
public struct UndecryptableSecret: Error, Hashable, Sendable {
    /// The rest of the sentence "security.jwt_secret …": "is encrypted with the key k0123456789, which is not in the keyring".
    public var problem: String
    /// The way out.
    public var hint: String?

    public init(_ problem: String, hint: String? = nil) {
        self.problem = problem
        self.hint = hint
    }
}

extension String {
    /// Whether the text is an encrypted value, of this format or of one still to come: it is opened, or refused, and never a value itself.
    public var isEncryptedValue: Bool {
        guard utf8.starts(with: "enc:v".utf8) else { return false }
        let version = utf8.dropFirst(5).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return !version.isEmpty && utf8.dropFirst(5 + version.count).first == UInt8(ascii: ":")
    }
}

extension SourceText.Role {
    /// The profile that encrypted values of such a document are bound to.
    public var secretProfile: String {
        switch self {
        case .base: "base"
        case .profile(let name), .dropIn(let name): name.rawValue
        }
    }
}

extension ValueKind {
    /// What a value is read as, in one word: what an encrypted one is bound to. A rule may change without the value being encrypted
    /// again, so bounds do not count, and a choice of words and a format are text.
    public var name: String {
        switch self {
        case .string, .choice: "string"
        case .boolean: "boolean"
        case .integer: "integer"
        case .number: "number"
        case .duration: "duration"
        case .byteSize: "size"
        case .list(let item): "list of \(item.name)"
        }
    }
}
