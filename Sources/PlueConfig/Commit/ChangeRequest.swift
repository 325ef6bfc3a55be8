public import Foundation

/// A change that somebody asks for, and under which conditions.
public struct ChangeRequest: Sendable {
    public var edits: Edits
    public var cause: Cause
    /// Refused when another version runs by then: what was planned beside it may not hold any more.
    public var ifVersion: Int?
    /// The change is taken back when nobody confirms it within this time.
    public var confirmWithin: Duration?
    /// Takes the place of a change that waits to be confirmed, instead of being refused while it waits.
    public var replacesPending: Bool

    public init(
        _ edits: Edits, cause: Cause, ifVersion: Int? = nil, confirmWithin: Duration? = nil, replacesPending: Bool = false
    ) {
        self.edits = edits
        self.cause = cause
        self.ifVersion = ifVersion
        self.confirmWithin = confirmWithin
        self.replacesPending = replacesPending
    }

    /// How long a change may wait to be confirmed: a week is a mistake, a negative time too.
    public static let confirmationTimes: ClosedRange<Duration> = .seconds(1) ... .seconds(7 * 86_400)
}

/// Why a change was refused before it came to the documents' contents. Nothing was changed.
public enum ChangeRefusal: Error, Hashable, Sendable {
    /// Another version runs than the one the change was made for.
    case stale(expected: Int, running: Int)
    /// A version waits to be confirmed.
    case awaitingConfirmation(Confirmation)
    case nothingToConfirm
    /// The documents were edited by others and do not run yet.
    case drift([String])
    /// The history has no such version, or not any more.
    case noSuchVersion(Int)
    /// The version is of another environment.
    case otherEnvironment(version: Int, EnvironmentName)
    /// A confirmation's time is outside ``ChangeRequest/confirmationTimes``.
    case confirmationTime
    /// The documents could not be written; why, in a sentence.
    case notWritten(String)
    /// Too many changes wait already, or the process is shutting down.
    case busy
}

extension ChangeRefusal: CustomStringConvertible {
    /// One sentence with the way out.
    public var description: String {
        switch self {
        case .stale(let expected, let running):
            "version \(running) runs, not version \(expected), for which the change was made; look at what changed, and plan again"
        case .awaitingConfirmation(let confirmation):
            "version \(confirmation.version) waits \(confirmation.remaining(at: Date())) to be confirmed; confirm it, roll back to version \(confirmation.fallback), or replace it with --replace-pending"
        case .nothingToConfirm: "no version waits to be confirmed"
        case .drift(let names):
            "\(names.joined(separator: ", ")) \(names.count == 1 ? "was" : "were") edited and \(names.count == 1 ? "does" : "do") not run; look with 'plue diff', then reload or put \(names.count == 1 ? "it" : "them") back"
        case .noSuchVersion(let number): "version \(number) is not in the history"
        case .otherEnvironment(let version, let environment): "version \(version) is of \(environment)"
        case .confirmationTime: "a change can wait between a second and a week to be confirmed"
        case .notWritten(let problem): problem
        case .busy: "too many changes wait already; try again"
        }
    }
}

extension Confirmation {
    /// How long it still waits: `42 s`.
    public func remaining(at now: Date) -> String {
        "\(Int(max(0, min(deadline.timeIntervalSince(now), 1e9)).rounded(.up))) s"
    }
}
