/// How many connections the server lets this pool have.
struct ServerPlaces: Sendable {
    /// The most there can be if nobody else had any, and what says so.
    let most: (count: Int, by: String)
    /// What the others leave, where there is a limit.
    let left: [PlaceScope: Int]

    /// Of other roles' sessions, their kind is hidden without the right to see it; background workers among them count as
    /// connections, which errs on the safe side. Limits of roles and databases do not bind superusers.
    private static let question = """
        WITH others AS (
            SELECT usename, datname FROM pg_catalog.pg_stat_activity
            WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend' AND NOT pid = ANY ($1::int[])
        )
        SELECT current_setting('max_connections')::int
                 - current_setting('superuser_reserved_connections')::int
                 - coalesce(current_setting('reserved_connections', true)::int, 0),
               (SELECT count(*) FROM others),
               (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = session_user AND NOT rolsuper),
               (SELECT count(*) FROM others WHERE usename = session_user),
               (SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = current_database()
                  AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user)),
               (SELECT count(*) FROM others WHERE datname = current_database())
        """

    /// Asks the server.
    /// - Parameter own: The server's processes for this pool's connections.
    /// - Returns: `nil` when it does not know, as something that only speaks PostgreSQL's protocol may not.
    static func count(
        with session: Session, login: Login, beside own: [Int32], until deadline: Instant
    ) async throws -> ServerPlaces? {
        let processes = "{" + own.map(String.init).joined(separator: ",") + "}"
        do {
            let result = try await session.execute(
                .extended(question, [processes]), until: deadline, timeout: Session.patience, limit: 10_000)
            guard let row = result.rows.first, row.count == 6 else { return nil }
            return ServerPlaces(row.map { $0.flatMap { Int($0) } }, login)
        } catch PostgresError.server where session.isUsable {
            return nil
        }
    }

    private init?(_ numbers: [Int?], _ login: Login) {
        guard let all = numbers[0], let others = numbers[1] else { return nil }
        let server = login.url.server
        var most = (count: all, by: "the server")
        var left = [PlaceScope.server(server): max(0, all - others)]
        func limit(_ scope: PlaceScope, _ limit: Int?, _ others: Int?, by name: String) {
            // -1 is no limit.
            guard let limit, limit >= 0 else { return }
            left[scope] = max(0, limit - (others ?? 0))
            if limit < most.count { most = (limit, name) }
        }
        limit(.role(login.user, server: server), numbers[2], numbers[3], by: "the role \(login.user)")
        limit(.database(login.url.database, server: server), numbers[4], numbers[5], by: "the database \(login.url.database)")
        self.most = most
        self.left = left
    }
}
