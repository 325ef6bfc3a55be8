public import PlueConfig

/// Why an encrypted value does not open. No case holds a byte of a key, of a plaintext or of the token.
///
/// To those who may not know more, all are the one code ``code``.
public enum OpeningError: Error, Hashable, Sendable {
    // before a key is looked for

    /// The text is no encrypted value, or not all of one.
    case malformed(TokenProblem)
    /// There is no keyring to open anything with, and why.
    case noKeyring(KeyringFileError)

    // the key

    /// The keyring has never had this key.
    case unknownKey(KeyID)
    /// The keyring has had this key, and let go of its bytes.
    case retiredKey(KeyID)

    // with the key

    /// The first part of the value was altered, or the name of its key: it does not belong to this key. Where it stands does not
    /// matter.
    case altered(KeyID)
    /// The value is not authentic here: it was sealed for another place, or its last part was altered. Which of the two, nobody can
    /// tell who does not know where it came from.
    case notForThisPlace(KeyID, ValuePlace)
    /// Authentic, but not text as Plue seals it: another program has this key.
    case notText(KeyID)

    /// The code of every diagnostic about a value that does not open.
    public static let code: DiagnosticCode = "secret.undecryptable"

    /// The way out, in one sentence.
    public var hint: String {
        switch self {
        case .malformed(let problem): problem.description
        case .noKeyring(.missing(let path)):
            "make one with 'plue secret keygen', or copy the one the value was encrypted with to \(path)"
        case .noKeyring(let problem): problem.description
        case .unknownKey(let id): "copy the keyring that has \(id) here, or encrypt the value again with 'plue secret encrypt'"
        case .retiredKey: "encrypt the value again with 'plue secret encrypt'"
        case .altered: "copy the value whole from where it was encrypted, or encrypt it again with 'plue secret encrypt'"
        case .notForThisPlace: "an encrypted value cannot be moved; encrypt it where it is to stand, with 'plue secret encrypt'"
        case .notText: "encrypt the value again with 'plue secret encrypt'"
        }
    }
}

extension OpeningError: CustomStringConvertible {
    /// What is wrong, in a few words that go on after the name of a setting: "is encrypted with the key k…, which …".
    public var description: String {
        switch self {
        case .malformed: "is not an encrypted value as Plue writes it"
        case .noKeyring(.missing): "is encrypted, but there is no keyring"
        case .noKeyring: "is encrypted, but the keyring cannot be used"
        case .unknownKey(let id): "is encrypted with the key \(id), which is not in the keyring"
        case .retiredKey(let id): "is encrypted with the key \(id), which was retired"
        case .altered(let id): "was altered after it was encrypted, or was not encrypted with the key \(id) that it names"
        case .notForThisPlace(_, let place): "was encrypted for another place than \(place), or altered"
        case .notText(let id): "was encrypted with the key \(id), but not by Plue: what it holds is not a text"
        }
    }
}

/// Why a value could not be sealed.
public enum SealingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The text is longer than ``EncryptedValue/longestPlaintext``.
    case tooLong
    case noKeyring(KeyringFileError)
    /// The value that was to be sealed again does not open.
    case unopenable(OpeningError)
    /// The cryptographic library refused to work; it gives no reason.
    case unavailable

    public var description: String {
        switch self {
        case .tooLong: "the text is longer than 64 KiB; keep it in a file and refer to it, as in ${file:/run/secrets/name}"
        case .noKeyring(.missing(let path)): "there is no keyring at \(path); make one with 'plue secret keygen'"
        case .noKeyring(let problem): problem.description
        case .unopenable(let error): "the value \(error); \(error.hint)"
        case .unavailable: "the cryptographic library refused to encrypt; nothing was changed"
        }
    }
}
