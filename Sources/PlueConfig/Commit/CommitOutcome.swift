/// How a transaction over the services ended.
enum CommitOutcome: Sendable {
    /// Every service runs the new. The version is `nil` when there was no intent to record.
    case committed(Version?, [ServiceResult])
    /// Every service runs what it ran before, as if nothing had happened.
    case refused(CommitFailure)
    /// What was activated had to be swapped back, and something of the old does not work either. The old instances are
    /// live: nothing better is at hand.
    case degraded(CommitFailure)
}

/// Why a transaction did not commit.
struct CommitFailure: Hashable, Sendable {
    /// What to tell whoever asked.
    enum Reason: Hashable, Sendable {
        /// A service could not prepare, or did not pass its verification.
        case service
        /// The recorder could not write; the files could not be written.
        case notRecorded, notWritten
        /// The plan was made beside another version than the one that runs.
        case stale
        /// The plan names a service that there is not.
        case unknownService
        /// Too many transactions wait already.
        case busy
        /// The caller gave up before anything was activated.
        case cancelled
        /// The process is shutting down.
        case shutDown
    }

    let reason: Reason
    /// The stage that ended it.
    let phase: Attempt.Phase
    /// One sentence; never a secret.
    let problem: String
    var services: [ServiceResult] = []
    /// The attempt's id in the history; `nil` when no intent had been written, and the refusal is the caller's to record.
    var attempt: Int?
    /// Why the files could not be written, when that was it.
    var writing: WriteRefusal?
}

/// How long each phase of one service may take.
public struct CommitDeadlines: Hashable, Sendable {
    /// Longest one service may take to prepare.
    public var prepare: Duration
    /// Longest one service may take to verify.
    public var verify: Duration
    /// The net under a service's own deadline for draining.
    public var retire: Duration

    public init(prepare: Duration = .seconds(10), verify: Duration = .seconds(5), retire: Duration = .seconds(60)) {
        self.prepare = prepare
        self.verify = verify
        self.retire = retire
    }
}
