public import PlueConfig

/// How a command ends, on the command line and over ssh: the codes of sysexits.h.
public enum ExitStatus: UInt8, Sendable {
    case done = 0
    case failed = 1
    case usage = 64
    case invalidConfiguration = 65
    case unreachable = 69
    case conflict = 75
    case notPermitted = 77

    /// For a change that was refused before its contents were looked at.
    public init(_ refusal: ChangeRefusal) {
        self =
            switch refusal {
            case .stale, .awaitingConfirmation, .drift, .busy, .nothingToConfirm, .expired, .otherEnvironment, .otherPlan: .conflict
            case .notWritten(let refusal): refusal.isConflict ? .conflict : refusal.isOfPermission ? .notPermitted : .failed
            case .notRecorded: .unreachable
            case .notPermitted, .needsApproval: .notPermitted
            case .noSuchVersion, .confirmationTime: .failed
            }
    }

    public init(_ error: ConfigurationError) {
        self =
            switch error {
            case .invalid: .invalidConfiguration
            case .history: .unreachable
            case .change(let refusal): .init(refusal)
            case .contradictorySchema, .registration, .start: .failed
            }
    }

    /// For a candidate that was refused.
    public init(_ attempt: Attempt) {
        self = !attempt.diagnostics.isEmpty ? .invalidConfiguration : attempt.phase == .record ? .unreachable : .failed
    }
}
