/// Where the number of connections is limited.
enum PlaceScope: Hashable, Sendable {
    /// `max_connections`, less those kept for superusers.
    case server(String)
    /// `ALTER ROLE … CONNECTION LIMIT`.
    case role(String, server: String)
    /// `ALTER DATABASE … CONNECTION LIMIT`.
    case database(String, server: String)
}

extension Login {
    var scopes: [PlaceScope] {
        [.server(url.server), .role(user, server: url.server), .database(url.database, server: url.server)]
    }
}
