import PlueConfig
public import PlueSecrets
import SystemPackage

extension Deployment {
    /// The keys as they are now; blocks. A keyring that cannot be used any more is a problem of the candidate that meets it, and what
    /// runs goes on with the last good one.
    func readKeys() -> SecretKeys {
        var problems: [Diagnostic] = []
        do throws(KeyringFileError) { try secrets.reload() } catch {
            if error.isAlwaysWrong {
                let file = Location(file: secrets.file.path.string, line: 1, column: 1, endLine: 1, endColumn: 1)
                problems = [Diagnostic("keyring", at: file, "\(error)")]
            }
        }
        return SecretKeys(
            generation: secrets.digest, paths: secrets.watchedPaths, problems: problems
        ) { [secrets, application] token, place throws(UndecryptableSecret) in
            do throws(OpeningError) {
                return try secrets.open(token, at: ValuePlace(application: application, place))
            } catch {
                throw UndecryptableSecret(error.description, hint: error.hint)
            }
        }
    }
}

extension ValuePlace {
    /// A setting's place, as the road has it.
    init(application: String, _ place: SecretPlace) {
        self.init(
            application: application, profile: place.profile, section: place.key.section, key: place.key.name, type: place.type)
    }
}

extension KeyringFileError {
    /// Whether it is worth an error where no value needs the keyring: that there is none, or that this user may not read it, is not.
    fileprivate var isAlwaysWrong: Bool {
        switch self {
        case .missing, .system(_, .permissionDenied), .system(_, .notPermitted): false
        default: true
        }
    }
}

extension SecretOpener {
    /// The keys and their states, for the record: `k0123456789 active, k9876543210 decrypt-only`.
    public var summary: String {
        keyring.map { $0.entries.map { "\($0.id) \($0.state.rawValue)" }.joined(separator: ", ") } ?? "no keyring"
    }
}
