public import Foundation

/// A recorded, numbered state of the configuration's documents.
public struct Version: Hashable, Sendable {
    /// Counted from 1 in each state directory.
    public var number: Int
    /// The version that was running before; `nil` for the first.
    public var parent: Int?
    /// Over the documents, their names and the environment's name: `sha256:` and 64 hex digits.
    public var digest: String
    /// Whose profile the documents are.
    public var environment: EnvironmentName
    /// Who asked, through what, and why.
    public var cause: Cause
    /// When it became live.
    public var at: Date
    /// The settings that differ from the parent, by name; never their values.
    public var changedKeys: [SettingKey]
    /// What each service that took part did, and how long it took.
    public var services: [ServiceResult]

    public init(
        number: Int, parent: Int?, digest: String, environment: EnvironmentName, cause: Cause, at: Date,
        changedKeys: [SettingKey], services: [ServiceResult]
    ) {
        self.number = number
        self.parent = parent
        self.digest = digest
        self.environment = environment
        self.cause = cause
        self.at = at
        self.changedKeys = changedKeys
        self.services = services
    }
}

/// Who asked for a change, through what, and why.
public struct Cause: Hashable, Sendable {
    /// What brought the candidate in.
    public enum Trigger: String, Hashable, Sendable {
        case start, file, signal, api, command, ssh, confirm, fleet
    }

    /// Through what it came.
    public var trigger: Trigger
    /// `file:uid`, `unix:uid`, `token:name`, `ssh:key-comment`, `signal`, `system`, `fleet:…`.
    public var actor: String
    /// In the actor's words; empty when nobody was asked.
    public var reason: String
    /// Who else had to agree, and did; kept in the audit log.
    public var approvers: [String] = []

    public init(_ trigger: Trigger, actor: String, reason: String = "") {
        self.trigger = trigger
        self.actor = actor
        self.reason = reason
    }
}

/// What one service did in a transaction.
public struct ServiceResult: Hashable, Sendable {
    /// What became of one service.
    public enum Outcome: String, Hashable, Sendable {
        case applied, discarded, reverted, failed
    }

    /// As the service was registered.
    public var name: String
    /// What the change meant for it.
    public var action: ServiceAction
    /// What became of it.
    public var outcome: Outcome
    /// The service's own words when it refused; never a secret.
    public var problem: String?
    /// How long its phases took together.
    public var duration: Duration

    public init(name: String, action: ServiceAction, outcome: Outcome, problem: String? = nil, duration: Duration) {
        self.name = name
        self.action = action
        self.outcome = outcome
        self.problem = problem
        self.duration = duration
    }
}

/// A candidate's way through the pipeline as it is recorded: accepted ones become a ``Version``, rejected ones are kept too.
public struct Attempt: Hashable, Sendable {
    /// Where the way ended.
    public enum Outcome: String, Hashable, Sendable {
        /// Running: it has a version number.
        case committed
        /// Refused before anything was touched: it did not read, parse, validate, or a service could not prepare.
        case rejected
        /// Activated, found wanting from outside, and swapped back.
        case reverted
        /// Swapping back failed as well; the service says so in its result.
        case degraded
        /// The process ended in the middle; found at the next start.
        case interrupted
    }

    /// A stage of the road.
    public enum Phase: String, Hashable, Sendable {
        case read, edit, parse, layer, resolve, validate, plan, prepare, commit, verify, record
    }

    public var id: Int
    /// Who asked, through what, and why.
    public var cause: Cause
    /// When it began.
    public var at: Date
    /// From the first reading to the end.
    public var duration: Duration
    /// The stage that ended it; `record` for a committed one.
    public var phase: Phase
    /// `nil` while it is under way.
    public var outcome: Outcome?
    /// One sentence; the first of ``diagnostics`` when there are some.
    public var problem: String?
    /// Everything that was wrong or doubtful with it, by place.
    public var diagnostics: [Diagnostic]
    /// Of its documents, `sha256:…`; `nil` when they could not be read.
    public var digest: String?
    /// Whose profile it was.
    public var environment: EnvironmentName
    /// The version it became.
    public var version: Int?
    /// What became of each service that took part.
    public var services: [ServiceResult]

    public init(
        id: Int, cause: Cause, at: Date, duration: Duration = .zero, phase: Phase, outcome: Outcome?,
        problem: String? = nil, diagnostics: [Diagnostic] = [], digest: String? = nil, environment: EnvironmentName,
        version: Int? = nil, services: [ServiceResult] = []
    ) {
        self.id = id
        self.cause = cause
        self.at = at
        self.duration = duration
        self.phase = phase
        self.outcome = outcome
        self.problem = problem
        self.diagnostics = diagnostics
        self.digest = digest
        self.environment = environment
        self.version = version
        self.services = services
    }
}
