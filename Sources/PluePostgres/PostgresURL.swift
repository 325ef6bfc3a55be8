import Foundation

/// Where a database is and how the way there is protected: `postgres://db.internal:5432/app?sslmode=verify-full&sslrootcert=/etc/ca.pem`.
///
/// | form | |
/// | --- | --- |
/// | `postgres://host/name` | port 5432; an IPv6 address stands in brackets |
/// | `postgres:///name?host=/run/postgresql` | the server's socket directory; `port` tells which socket |
/// | `postgres://%2Frun%2Fpostgresql:5433/name` | the same |
/// | `postgres://user@host/name` | a login, unless the settings name one |
///
/// Parameters: `host`, `port`, `sslmode` (`disable`, `allow`, `prefer`, `require`, `verify-ca`, `verify-full`), `sslrootcert`,
/// `sslcert`, `sslkey`, `sslcrl`, `ssl_min_protocol_version`, `channel_binding`, `application_name`. They are libpq's. A password
/// has no place in a URL, which is shown in plans and logs. libpq's own sources, `PGHOST` and its siblings, `~/.pgpass` and
/// `~/.postgresql`, are not asked: what the pool uses stands in the configuration.
public struct PostgresURL: Hashable, Sendable {
    /// A name, an address, or a socket directory, which begins with `/`.
    public let host: String
    /// 5432 unless given.
    public let port: Int
    /// The database's name.
    public let database: String
    /// The login, when the URL names one.
    public let user: String?
    /// The other parameters, by libpq's name.
    public let parameters: [String: String]

    /// Why a text is not such a URL, in one sentence that quotes nothing which could be a password.
    public struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
        /// What is wrong with it, without the URL itself, which may hold a password.
        public let description: String
        init(_ description: String) { self.description = description }
    }

    /// The server: `db.internal:5432`, `[::1]:5432`, `/run/postgresql:5432`.
    public var server: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }

    /// Whether both lead to the same database in the same way, whoever logs in.
    func isSamePlace(as other: Self) -> Bool {
        host == other.host && port == other.port && database == other.database && parameters == other.parameters
    }

    public init(_ text: String) throws(Problem) {
        guard text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control && $0 != " " }) else {
            throw Problem("a URL has no spaces or control characters")
        }
        guard let scheme = ["postgres://", "postgresql://"].first(where: { text.hasPrefix($0) }) else {
            throw Problem("a database's URL begins with postgres://")
        }
        let rest = text.dropFirst(scheme.count)
        if rest.contains("#") { throw Problem("a database's URL has no '#' part") }
        let (place, query) = Self.split(rest, at: "?")
        let (authority, path) = Self.split(place, at: "/")
        var given = try Self.parameters(query ?? "")

        let (login, address) = try Self.splitLogin(authority)
        user = try login.map { login throws(Problem) in try Self.decoded(login, "user") }
        var (host, port) = try Self.splitPort(address)
        if let other = given.removeValue(forKey: "host") {
            if !host.isEmpty { throw Problem("the URL names two hosts") }
            host = other
        }
        if let other = given.removeValue(forKey: "port") {
            if port != nil { throw Problem("the URL names two ports") }
            port = other
        }
        self.host = try Self.checkedHost(host)
        self.port = try Self.checkedPort(port ?? "5432")
        database = try Self.decoded(path ?? "", "database's name")
        if database.isEmpty { throw Problem("the URL names no database: postgres://host:port/name") }
        if let path, path.contains("/") { throw Problem("a database's name in a URL has no '/'; write %2F if it does") }
        try Self.checkProtection(given, host: self.host)
        parameters = given
    }

    // MARK: - Parts

    private static func split(_ text: Substring, at separator: Character) -> (Substring, Substring?) {
        guard let index = text.firstIndex(of: separator) else { return (text, nil) }
        return (text[..<index], text[text.index(after: index)...])
    }

    private static func splitLogin(_ authority: Substring) throws(Problem) -> (login: Substring?, address: Substring) {
        guard let at = authority.lastIndex(of: "@") else { return (nil, authority) }
        let login = authority[..<at]
        if login.contains(":") { throw Problem("a password does not belong in the URL, which is shown; it has a setting of its own") }
        if login.isEmpty { throw Problem("the URL has an '@' without a user before it") }
        return (login, authority[authority.index(after: at)...])
    }

    private static func splitPort(_ address: Substring) throws(Problem) -> (host: String, port: String?) {
        if address.contains(",") { throw Problem("a URL names one host") }
        guard address.hasPrefix("[") else {
            let (host, port) = split(address, at: ":")
            if let port, port.contains(":") { throw Problem("an IPv6 address in a URL stands in brackets: postgres://[::1]:5432/name") }
            return (try decoded(host, "host"), port.map(String.init))
        }
        guard let end = address.firstIndex(of: "]") else { throw Problem("the URL's '[' is not closed") }
        let host = String(address[address.index(after: address.startIndex)..<end])
        let rest = address[address.index(after: end)...]
        guard rest.isEmpty || rest.hasPrefix(":") else { throw Problem("after an address in brackets comes a ':' and the port") }
        guard host.contains(":") else { throw Problem("what stands in brackets is an IPv6 address") }
        return (host, rest.isEmpty ? nil : String(rest.dropFirst()))
    }

    private static func parameters(_ query: Substring) throws(Problem) -> [String: String] {
        var parameters: [String: String] = [:]
        for part in query.split(separator: "&") {
            let (name, value) = split(part, at: "=")
            if let advice = elsewhere[String(name)] { throw Problem(advice) }
            guard known.contains(String(name)) else {
                throw Problem("the URL has an unknown parameter; known are \(known.sorted().joined(separator: ", "))")
            }
            guard let value, !value.isEmpty else { throw Problem("the URL's parameter \(name) has no value") }
            let text = try decoded(value, "parameter \(name)")
            guard parameters.updateValue(text, forKey: String(name)) == nil else { throw Problem("the URL has \(name) twice") }
        }
        return parameters
    }

    private static let known: Set<String> = [
        "host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "ssl_min_protocol_version", "channel_binding",
        "application_name",
    ]

    /// Parameters of libpq that are settings here, and what to do instead.
    private static let elsewhere = [
        "password": "a password does not belong in the URL, which is shown; it has a setting of its own",
        "sslpassword": "a key with a password is not supported; protect the file's mode instead",
        "user": "the user stands before the host: postgres://user@host/name",
        "dbname": "the database stands after the host: postgres://host/name",
        "connect_timeout": "connect_timeout is a setting of its own, not a part of the URL",
        "options": "the URL cannot carry options; use ALTER ROLE … SET on the server",
    ]

    /// The text with its `%2F` resolved.
    private static func decoded(_ text: Substring, _ what: String) throws(Problem) -> String {
        guard let decoded = text.removingPercentEncoding, !decoded.contains("\0") else {
            throw Problem("the URL's \(what) has a '%' that is not the start of %XX; write %25 for the character itself")
        }
        return decoded
    }

    // MARK: - Values

    private static func checkedHost(_ host: String) throws(Problem) -> String {
        if host.isEmpty { throw Problem("the URL names no host: postgres://host:port/name, or postgres:///name?host=/socket/directory") }
        if host.contains(",") { throw Problem("a URL names one host") }
        if !host.hasPrefix("/"), host.contains("/") { throw Problem("a socket directory begins with '/'") }
        if host.hasPrefix("@") { throw Problem("an abstract socket is not supported") }
        return host
    }

    private static func checkedPort(_ text: String) throws(Problem) -> Int {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(text), (1...65_535).contains(port) else {
            throw Problem("the URL's port is a number from 1 to 65535")
        }
        return port
    }

    private static let modes: Set<String> = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

    private static func checkProtection(_ parameters: [String: String], host: String) throws(Problem) {
        let mode = parameters["sslmode"]
        if let mode, !modes.contains(mode) {
            throw Problem("the URL's sslmode is one of disable, allow, prefer, require, verify-ca, verify-full")
        }
        if let mode, mode.hasPrefix("verify"), parameters["sslrootcert"] == nil {
            throw Problem("sslmode=\(mode) needs sslrootcert, the file with the certificate to trust")
        }
        if (parameters["sslcert"] == nil) != (parameters["sslkey"] == nil) { throw Problem("sslcert and sslkey are set together") }
        for name in ["sslrootcert", "sslcert", "sslkey", "sslcrl"] {
            if let path = parameters[name], !path.hasPrefix("/") { throw Problem("the URL's \(name) is an absolute path") }
        }
        if host.hasPrefix("/"), let mode, !["disable", "allow", "prefer"].contains(mode) {
            throw Problem("a socket file has no TLS: leave sslmode out")
        }
        if let version = parameters["ssl_min_protocol_version"], !["TLSv1.2", "TLSv1.3"].contains(version) {
            throw Problem("the URL's ssl_min_protocol_version is TLSv1.2 or TLSv1.3")
        }
        if let binding = parameters["channel_binding"], !["disable", "prefer", "require"].contains(binding) {
            throw Problem("the URL's channel_binding is disable, prefer or require")
        }
    }
}
