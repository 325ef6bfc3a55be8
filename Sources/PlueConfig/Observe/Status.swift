/// How a configuration stands: what runs, what was last tried, what waits.
public struct Status: Sendable {
    public enum State: String, Sendable {
        /// The last candidate runs.
        case running
        /// A transaction is under way.
        case applying
        /// A commit waits for its confirmation.
        case awaitingConfirm = "awaiting-confirm"
        /// The last candidate was refused; the one before it runs.
        case rejected
        /// A service could not be swapped back: what runs is not what any version says.
        case degraded
    }

    public var state: State
    public var version: Int
    public var digest: String
    public var environment: EnvironmentName
    /// The files differ from what runs.
    public var drift: Bool
    /// The files were invalid at the start, and the version that ran last runs instead.
    public var isLastKnownGood: Bool
    /// The version that waits to be confirmed.
    public var confirmation: Confirmation?
    public var lastAttempt: Attempt?
    public var pendingRestart: [SettingKey]
    public var watch: Watch
    public var services: [Service]

    /// How changes of files are noticed.
    public struct Watch: Sendable, Hashable {
        /// `inotify`, `poll` or `off`.
        public var mode: String
        /// Why it is not the better one.
        public var reason: String?

        public init(mode: String, reason: String?) {
            self.mode = mode
            self.reason = reason
        }
    }

    /// One registered service.
    public struct Service: Sendable, Hashable {
        public var name: String
        /// `running` or `degraded`.
        public var state: String
        /// The version whose settings it runs with.
        public var version: Int
        /// How many replaced instances still drain.
        public var draining: Int

        public init(name: String, state: String, version: Int, draining: Int) {
            self.name = name
            self.state = state
            self.version = version
            self.draining = draining
        }
    }
}
