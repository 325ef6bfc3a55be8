import ArgumentParser
import PlueAudit
import PlueConfig
import PlueDaemon
import PlueDocuments
import PlueLedger
import PlueSecrets

/// An error that ends a command in its own words; none of them holds a secret.
protocol Ending: Error, CustomStringConvertible {
    var exitCode: ExitCode { get }
}

extension Ending {
    var exitCode: ExitCode { .failure }
}

extension EditError: Ending {}
extension FileReadError: Ending {}
extension KeyringError: Ending {}
extension NoSuchSetting: Ending {}
extension NoSuchVersion: Ending {}
extension PrivateCopy.EditorFailed: Ending {}
extension SealingError: Ending {}
extension UntrustedBackup: Ending {}

extension AuditReader.Unreadable: Ending {
    var exitCode: ExitCode { .unreachable }
}

extension KeyringFileError: Ending {
    var exitCode: ExitCode {
        switch self {
        case .exists, .changedMeanwhile, .busy: .conflict
        case .missing: .failure
        default: .notPermitted
        }
    }
}

extension LedgerError: Ending {
    var exitCode: ExitCode {
        switch self {
        case .notPermitted: .notPermitted
        case .inUse, .occupied, .exists: .conflict
        default: .unreachable
        }
    }
}

extension TokenRefusal: Ending {
    var exitCode: ExitCode { isConflict ? .conflict : .failure }
}

extension WriteRefusal: Ending {
    var exitCode: ExitCode { isConflict ? .conflict : isOfPermission ? .notPermitted : .failure }
}
