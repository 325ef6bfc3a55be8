import ArgumentParser
import Foundation
import PlueAudit
import PlueConfig
import PlueDaemon
import PlueLedger

extension GlobalOptions {
    /// Writes to standard output.
    func print(_ text: String) { FileHandle.standardOutput.write(Data((text.hasSuffix("\n") ? text : text + "\n").utf8)) }

    /// Writes JSON to standard output.
    func print(_ json: JSONValue) { print(json.text(indented: true)) }

    /// Says on standard error what is wrong.
    func complain(_ text: String) { FileHandle.standardError.write(Data(("plue: " + text + "\n").utf8)) }

    /// Prints diagnostics in the form that was asked for: text goes to standard error, unless it is the answer itself.
    func report(_ diagnostics: [Diagnostic], asAnswer isAnswer: Bool = false) {
        switch format {
        case .json: print(DiagnosticJSON.report(diagnostics))
        case .sarif: print(DiagnosticSARIF.report(diagnostics))
        case .text:
            let text = DiagnosticText(colour: usesColour(on: isAnswer ? STDOUT_FILENO : STDERR_FILENO)).render(diagnostics)
            if isAnswer { print(text) } else { FileHandle.standardError.write(Data((text + "\n").utf8)) }
        }
    }

    /// Ends a command whose configuration is invalid.
    func refuse(_ diagnostics: [Diagnostic]) -> ExitCode {
        report(diagnostics)
        return .invalidConfiguration
    }

    /// Ends a command with a configuration error, each kind with its code.
    func refuse(_ error: ConfigurationError) -> ExitCode {
        switch error {
        case .invalid(let diagnostics): return refuse(diagnostics)
        case .history:
            complain(error.description)
            return .unreachable
        case .change(let refusal):
            complain(refusal.description)
            switch refusal {
            case .stale, .awaitingConfirmation, .drift, .busy, .nothingToConfirm, .notWritten, .otherEnvironment: return .conflict
            case .noSuchVersion, .confirmationTime: return .failure
            }
        case .contradictorySchema, .registration, .start:
            complain(error.description)
            return .failure
        }
    }
}

/// Pads columns, so that a table reads down as well as across.
struct TextTable {
    private var rows: [[String]]

    init(_ header: [String]) { rows = [header] }

    mutating func add(_ row: [String]) { rows.append(row) }

    var text: String {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}

extension GlobalOptions {
    /// Says what ended a command, and with which code: the one place that turns errors into words and codes.
    func end(_ error: any Error) -> any Error {
        switch error {
        case let rejection as Rejection: return refuse(rejection.diagnostics)
        case let error as ConfigurationError: return refuse(error)
        case let rejected as RejectedChange:
            guard rejected.attempt.diagnostics.isEmpty else { return refuse(rejected.attempt.diagnostics) }
            complain(rejected.attempt.problem ?? "the change was refused")
            return ExitCode.failure
        case let unreachable as DaemonClient.Unreachable:
            complain(
                unreachable.isForbidden
                    ? "you may not use \(unreachable.socket)"
                    : "no daemon answers on \(unreachable.socket); start one with 'plue serve', or name its --state-dir")
            return unreachable.isForbidden ? ExitCode.notPermitted : ExitCode.unreachable
        case let refused as DaemonClient.Refused:
            if format == .json { print(refused.problem) }
            if refused.problem["errors"]?.elements.isEmpty ?? true { complain(refused.problem["detail"]?.string ?? "the daemon refused") }
            for diagnostic in refused.problem["errors"]?.elements ?? [] {
                let place =
                    diagnostic["file"]?.string.map { " (\($0):\(diagnostic["line"]?.integer ?? 0):\(diagnostic["column"]?.integer ?? 0))" }
                    ?? ""
                complain(
                    "\(diagnostic["severity"]?.string ?? "error")[\(diagnostic["code"]?.string ?? "")]: \(diagnostic["message"]?.string ?? "")\(place)"
                )
            }
            switch refused.status {
            case 422: return ExitCode.invalidConfiguration
            case 401, 403: return ExitCode.notPermitted
            case 409, 412: return ExitCode.conflict
            default: return ExitCode.failure
            }
        case let error as LedgerError:
            complain("\(error)")
            if case .notPermitted = error { return ExitCode.notPermitted }
            switch error {
            case .inUse, .occupied, .exists: return ExitCode.conflict
            default: break
            }
            return ExitCode.unreachable
        case let error as AuditReader.Unreadable:
            complain(error.description)
            return ExitCode.unreachable
        case let error as NoSuchVersion:
            complain("\(error)")
            return ExitCode.failure
        case let error as FileReadError:
            complain("\(error)")
            return ExitCode.failure
        case is ExitCode, is ValidationError: return error
        default:
            // Other errors' texts may hold anything, a value included; their type is enough to find them.
            complain("failed with \(type(of: error))")
            return ExitCode.failure
        }
    }
}
