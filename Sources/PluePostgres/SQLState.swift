/// PostgreSQL's five-character code of an error: `23505`. The same in every language and version of the server.
///
/// All codes: PostgreSQL's documentation, appendix A.
public struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The five characters.
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    public var description: String { rawValue }

    /// The first two characters, which group the codes: `23` for a constraint that does not hold.
    public var errorClass: String { String(rawValue.prefix(2)) }

    /// A row with this key is there already.
    public static let uniqueViolation = SQLState(rawValue: "23505")
    /// The login is not let in.
    public static let invalidAuthorization = SQLState(rawValue: "28000")
    /// The password is wrong.
    public static let invalidPassword = SQLState(rawValue: "28P01")
    /// There is no such database.
    public static let undefinedDatabase = SQLState(rawValue: "3D000")
    /// There is no such schema.
    public static let invalidSchemaName = SQLState(rawValue: "3F000")
    /// The login may not do that.
    public static let insufficientPrivilege = SQLState(rawValue: "42501")
    /// The statement is not SQL.
    public static let syntaxError = SQLState(rawValue: "42601")
    /// There is no such table.
    public static let undefinedTable = SQLState(rawValue: "42P01")
    /// The table is there already.
    public static let duplicateTable = SQLState(rawValue: "42P07")
    /// The server takes no more connections.
    public static let tooManyConnections = SQLState(rawValue: "53300")
    /// The statement was ended by the statement timeout, or by a request to cancel it.
    public static let queryCanceled = SQLState(rawValue: "57014")
    /// An administrator ended the connection, or shut the server down.
    public static let adminShutdown = SQLState(rawValue: "57P01")
    /// The server starts, stops or recovers.
    public static let cannotConnectNow = SQLState(rawValue: "57P03")
}
