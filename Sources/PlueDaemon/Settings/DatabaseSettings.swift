public import PlueConfig
import PluePostgres

/// `[database]`: the PostgreSQL pool.
public struct DatabaseSettings: Settings {
    public var url: String?
    public var username = ""
    public var poolMin = 1
    public var poolMax = 10
    public var connectTimeout: Duration = .seconds(5)
    public var statementTimeout: Duration = .seconds(30)
    public var auditExport = false

    public init() {}

    public static let schema = Schema<Self> {
        Setting("url", \.url, .pattern("^$|^postgres(ql)?://"), "postgres://host:port/name; no pool when unset or empty.")
        Setting("username", \.username, "Login; the password is security.database_password.")
        Setting("pool_min", \.poolMin, .range(0...10_000), "Connections that are kept open.")
        Setting("pool_max", \.poolMax, .range(1...10_000), "Most connections at once.")
        Setting("connect_timeout", \.connectTimeout, .range(.milliseconds(100) ... .seconds(300)), "Longest a login may take.")
        Setting(
            "statement_timeout", \.statementTimeout, .range(.zero ... .seconds(86_400)), "Longest a statement may take; 0 for no limit.")
        Setting("audit_export", \.auditExport, "Whether audit rows are written to a table there too.")
        Rule("url is a database's URL", blames: \.url) { settings, _ in
            guard let url = settings.url, !url.isEmpty else { return nil }
            do throws(PostgresURL.Problem) {
                _ = try PostgresURL(url)
                return nil
            } catch {
                return error.description
            }
        }
        Rule("pool_min is at most pool_max", blames: \.poolMin, \.poolMax) { settings, _ in settings.poolMin <= settings.poolMax }
    }
}
