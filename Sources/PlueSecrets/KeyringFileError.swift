public import SystemPackage

/// Why a keyring's file cannot be used, or written. No case holds a byte of it.
public enum KeyringFileError: Error, Hashable, Sendable {
    case missing(FilePath)
    /// A directory, a pipe, a device.
    case notRegular(FilePath)
    case tooLarge(FilePath)
    /// It belongs to somebody who is neither this user nor root.
    case foreignOwner(FilePath, uid: UInt32)
    /// Group or others may do something with it.
    case openToOthers(FilePath, mode: UInt32, allowed: UInt32)
    /// Somebody who is neither this user nor root could put another file in its place.
    case directoryOpenToOthers(FilePath, mode: UInt32)
    case directoryOfOther(FilePath, uid: UInt32)
    /// Somebody kept writing to it.
    case changing(FilePath)
    case invalid(FilePath, InvalidKeyring)

    // when writing

    /// It is a systemd credential.
    case readOnlyCredential(FilePath)
    /// There is one already where a new one was to be.
    case exists(FilePath)
    /// It is not what the change was made from.
    case changedMeanwhile(FilePath)
    /// Another process is writing it.
    case busy(FilePath)

    /// The system's reason: permission, input/output error, no space.
    case system(FilePath, Errno)
}

extension KeyringFileError: CustomStringConvertible {
    /// What is wrong, and the way out.
    public var description: String {
        switch self {
        case .missing(let path): "there is no keyring at \(path); make one with 'plue secret keygen'"
        case .notRegular(let path): "the keyring \(path) is not a regular file; move it away"
        case .tooLarge(let path): "\(path) is larger than a keyring can be; move it away"
        case .foreignOwner(let path, let uid):
            "the keyring \(path) belongs to uid \(uid), neither to this user nor to root; run plue as the user it belongs to"
        case .openToOthers(let path, let mode, let allowed):
            "the keyring \(path) can be read or written by others (mode \(octal(mode))): chmod \(octal(allowed)) \(path), "
                + "and rotate its keys if others may have read it"
        case .directoryOpenToOthers(let path, let mode):
            "others can put another keyring in the place of this one: \(path) can be written by them (mode \(octal(mode))); "
                + "chmod go-w \(path)"
        case .directoryOfOther(let path, let uid):
            "the directory of the keyring, \(path), belongs to uid \(uid), neither to this user nor to root; run plue as the user it belongs to"
        case .changing(let path): "the keyring \(path) is being written to; try again"
        case .invalid(_, let problem): "the keyring cannot be read: \(problem)"
        case .readOnlyCredential(let path):
            "the keyring \(path) comes as a systemd credential, which cannot be changed from here; "
                + "change the file it is loaded from, naming it in $\(KeyringFile.variable), and restart the unit"
        case .exists(let path): "there is a keyring at \(path) already; a new one would lose every value that is encrypted with it"
        case .changedMeanwhile(let path): "the keyring \(path) was changed by somebody else meanwhile; try again"
        case .busy(let path): "another process is writing the keyring \(path); try again"
        case .system(let path, .permissionDenied), .system(let path, .notPermitted):
            "this user may not use the keyring \(path); run plue as the user it belongs to"
        case .system(let path, .noSpace): "no space left to write the keyring \(path); it is as it was"
        case .system(let path, .readOnlyFileSystem), .system(let path, .resourceBusy):
            "the keyring \(path) cannot be replaced where it is mounted; change it where it comes from"
        case .system(let path, let error): "the keyring \(path) could not be read or written: \(error)"
        }
    }

    /// The file's mode in the messages, as `chmod` takes it.
    private func octal(_ mode: UInt32) -> String { "0" + String(mode, radix: 8) }
}
