/// How a configuration stands: what runs, what was last tried, what waits.
public struct Status: Sendable {
    /// How the configuration stands, in one word.
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

    /// How the configuration stands.
    public var state: State
    /// The number of the version that runs; 0 before the first.
    public var version: Int
    /// Of the documents that run, `sha256:…`.
    public var digest: String
    /// Whose profile is loaded.
    public var environment: EnvironmentName
    /// The files differ from what runs.
    public var drift: Bool
    /// The files were invalid at the start, and the version that ran last runs instead.
    public var isLastKnownGood: Bool
    /// The version that waits to be confirmed.
    public var confirmation: Confirmation?
    /// The newest candidate and what became of it; `nil` before the first change.
    public var lastAttempt: Attempt?
    /// Settings whose change waits for the next start.
    public var pendingRestart: [SettingKey]
    /// How changes of files are noticed.
    public var watch: Watch
    /// The registered services, in their order.
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
        /// As it was registered.
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
