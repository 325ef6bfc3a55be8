public import Foundation

/// A change that somebody asks for, and under which conditions.
public struct ChangeRequest: Sendable {
    /// What is to be changed.
    public var edits: Edits
    /// Who asks, through what, and why.
    public var cause: Cause
    /// Refused when another version runs by then: what was planned beside it may not hold any more.
    public var ifVersion: Int?
    /// The change is taken back when nobody confirms it within this time.
    public var confirmWithin: Duration?
    /// Takes the place of a change that waits to be confirmed, instead of being refused while it waits.
    /// It is made on top of the version before that one.
    public var replacesPending: Bool
    /// Has a say once it is known what the change comes to; what it throws is thrown, and nothing is changed.
    public var review: ProposedChange.Review?
    /// Takes what others edited and what does not run yet along: for where nothing runs but the files.
    package var takesFilesAsTheyAre = false

    public init(
        _ edits: Edits, cause: Cause, ifVersion: Int? = nil, confirmWithin: Duration? = nil, replacesPending: Bool = false,
        review: ProposedChange.Review? = nil
    ) {
        self.review = review
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
    case drift([String], running: Int)
    /// The history has no such version, or not any more.
    case noSuchVersion(Int)
    /// The version is of another environment.
    case otherEnvironment(version: Int, EnvironmentName)
    /// A confirmation's time is outside ``ChangeRequest/confirmationTimes``.
    case confirmationTime
    /// The documents could not be written.
    case notWritten(WriteRefusal)
    /// The history could not be written; why, in a sentence.
    case notRecorded(String)
    /// The version that waited was not confirmed in time.
    case expired(Confirmation)
    /// Whoever asked may not change this; why, in a sentence.
    case notPermitted(String)
    /// Somebody else has to approve it, because it changes these sections.
    case needsApproval([String])
    /// It would do something else than what was approved.
    case otherPlan
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
            confirmation.deadline <= Date()
                ? "\(confirmation.expiry), and version \(confirmation.fallback) could not be brought back yet; 'plue status' says why"
                : "version \(confirmation.version) waits \(confirmation.remaining(at: Date())) to be confirmed; confirm it, roll back to version \(confirmation.fallback), or replace it with --replace-pending"
        case .nothingToConfirm: "no version waits to be confirmed"
        case .drift(let names, let running):
            "\(names.joined(separator: ", ")) \(names.count == 1 ? "was" : "were") edited and \(names.count == 1 ? "does" : "do") not run; 'plue check' says what is wrong: mend \(names.count == 1 ? "it" : "them") and 'plue reload', or overrule \(names.count == 1 ? "it" : "them") with 'plue rollback \(running)', which keeps a copy"
        case .noSuchVersion(let number): "version \(number) is not in the history"
        case .otherEnvironment(let version, let environment): "version \(version) is of \(environment); name it with -e \(environment)"
        case .confirmationTime: "a change can wait between a second and a week to be confirmed"
        case .notWritten(let refusal): "the documents could not be written: \(refusal)"
        case .notRecorded(let problem): problem
        case .expired(let confirmation): "\(confirmation.expiry); version \(confirmation.fallback) is back"
        case .notPermitted(let problem): problem
        case .needsApproval(let sections):
            "a change of \(sections.map { "[\($0)]" }.joined(separator: ", ")) takes somebody else's approval, and only the daemon keeps what waits for one: start it with 'plue serve', and ask again"
        case .otherPlan: "that is not, or not any more, what it would do; look at it again"
        case .busy: "too many changes wait already; try again"
        }
    }
}

extension Confirmation {
    /// `version 5 was not confirmed in time`
    var expiry: String { "version \(version) was not confirmed in time" }

    /// How long it still waits: `42 s`.
    public func remaining(at now: Date) -> String {
        "\(Int(max(0, min(deadline.timeIntervalSince(now), 1e9)).rounded(.up))) s"
    }
}
