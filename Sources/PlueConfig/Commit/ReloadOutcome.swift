/// How a reload ended.
public enum ReloadOutcome: Sendable {
    /// The candidate is what runs already; nothing was touched.
    case unchanged(version: Int)
    /// It runs, under this number.
    case committed(Int, Plan)
    /// Refused; what ran before still runs.
    case rejected(Attempt)
}

/// How reloads go, for what supervises the process; see ``ConfigManager/onReload(_:)``.
public enum ReloadEvent: Sendable {
    /// The version that waits to be confirmed is another one from now on; `nil` when none waits any more.
    case confirmation(Confirmation?)
    /// SIGHUP arrived; the reload it asks for follows.
    case hangup
    /// A reload ended, whoever asked for it.
    case ended(ReloadOutcome)
    /// The reload that SIGHUP asked for ended.
    case hangupAnswered(ReloadOutcome)
}

/// Why the services could not be brought up.
public struct StartFailure: Error, Sendable, CustomStringConvertible {
    /// The stage that ended it.
    public let phase: Attempt.Phase
    /// One sentence.
    public let problem: String
    /// What became of each service that took part.
    public let services: [ServiceResult]
    public var description: String { problem }
}
