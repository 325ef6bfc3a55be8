import ArgumentParser
import Foundation
import PlueConfig
import PlueDaemon

extension GlobalOptions {
    /// Writes to standard output.
    func print(_ text: String) { FileHandle.standardOutput.write(Data((text.hasSuffix("\n") ? text : text + "\n").utf8)) }

    /// Writes JSON to standard output.
    func print(_ json: JSONValue) { print(json.text(indented: true)) }

    /// Says on standard error what is wrong. What comes from outside cannot do more there than be read, and no line of it passes for
    /// one of ours.
    func complain(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { VisibleText.of(String($0)) }
        FileHandle.standardError.write(Data(("plue: " + lines.joined(separator: "\n      ") + "\n").utf8))
    }

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
        if case .invalid(let diagnostics) = error { return refuse(diagnostics) }
        complain(error.description)
        if case .change(let refusal) = error, format == .json { print(["detail": .string(refusal.description)]) }
        return ExitCode(Int32(ExitStatus(error).rawValue))
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
            return rejected.attempt.phase == .record ? ExitCode.unreachable : ExitCode.failure
        case let unreachable as DaemonClient.Unreachable:
            return end(
                unreachable.isForbidden
                    ? "you may not use \(unreachable.socket)"
                    : "no daemon answers on \(unreachable.socket); start one with 'plue serve', or name its --state-dir",
                unreachable.isForbidden ? .notPermitted : .unreachable)
        case let unanswered as DaemonClient.Unanswered:
            return end(
                unanswered.problem
                    + (unanswered.request.method == .get ? "" : "; whether the change was made, 'plue history' says"),
                .unreachable)
        case let refused as DaemonClient.Refused:
            let diagnostics = DiagnosticJSON.diagnostics(from: refused.problem["errors"] ?? [])
            if format == .json { print(refused.problem) } else if !diagnostics.isEmpty { report(diagnostics) }
            if diagnostics.isEmpty { complain(refused.problem["detail"]?.string ?? "the daemon refused") }
            switch refused.status {
            case 422: return ExitCode.invalidConfiguration
            case 401, 403: return ExitCode.notPermitted
            case 409, 412: return ExitCode.conflict
            case 503: return ExitCode.unreachable
            default: return ExitCode.failure
            }
        case let ending as any Ending:
            return end(ending.description, ending.exitCode)
        case is ExitCode, is ValidationError: return error
        default:
            // Other errors' texts may hold anything, a value included; their type is enough to find them.
            return end("failed with \(type(of: error))", .failure)
        }
    }

    /// Says a sentence: for people on standard error, and for programs that asked for JSON as well, on standard output.
    private func end(_ sentence: String, _ code: ExitCode) -> ExitCode {
        complain(sentence)
        if format == .json { print(["detail": .string(sentence)]) }
        return code
    }
}
