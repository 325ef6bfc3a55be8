public import PlueConfig

/// What a pool needs to know; every part can change while it serves.
public struct PostgresPoolSettings: Equatable, Sendable {
    /// ``PostgresURL`` has the forms; empty for no pool at all.
    public var url: String
    /// The login; the URL's when empty.
    public var username = ""
    /// The login's password; `nil` where the server asks for none.
    public var password: Secret<String>?
    /// How many connections, and how long things may take.
    public var limits = Limits()

    /// How many connections, and for how long what may take. Changing them connects nobody anew.
    public struct Limits: Hashable, Sendable {
        /// Connections that are kept open, used or not.
        public var poolMin = 1
        /// Most connections at once.
        public var poolMax = 10
        /// Longest a login may take.
        public var connectTimeout: Duration = .seconds(5)
        /// Longest a statement may take; zero for no limit.
        public var statementTimeout: Duration = .seconds(30)
        /// How long those who use the connections of a replaced login may go on.
        public var drainTimeout: Duration = .seconds(30)

        public init() {}
    }

    public init(url: String, username: String = "", password: Secret<String>? = nil, limits: Limits = Limits()) {
        self.url = url
        self.username = username
        self.password = password
        self.limits = limits
    }
}

extension PostgresPoolSettings {
    /// What going to other settings means for those who use the pool.
    public func action(to new: PostgresPoolSettings) -> ServiceAction {
        if self == new { return .none }
        guard let old = try? Login(self), let new = try? Login(new) else { return .swap }
        return old == new ? .live : .swap
    }

    /// What is looked at once the settings are live, for the plan.
    public var verification: String {
        guard !url.isEmpty else { return "nothing: no database is set" }
        return (try? PostgresURL(url)).map { "a query at \($0.server)/\($0.database)" } ?? "a query"
    }
}

extension PostgresPoolSettings.Limits {
    /// What contradicts itself; `nil` when nothing does.
    var problem: String? {
        if poolMax < 1 { return "pool_max is \(poolMax), but a pool has at least one connection" }
        if poolMin < 0 || poolMin > poolMax { return "pool_min is \(poolMin), but must be between 0 and pool_max, \(poolMax)" }
        if connectTimeout <= .zero { return "connect_timeout must be longer than 0" }
        if statementTimeout < .zero { return "statement_timeout must not be negative" }
        return nil
    }
}
