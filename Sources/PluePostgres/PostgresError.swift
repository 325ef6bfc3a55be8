/// Why the pool or one of its connections did not do what it was asked. No case holds a secret or a parameter's value, except
/// ``ServerMessage/message``, which is the server's own and is left out of descriptions.
public enum PostgresError: Error, Hashable, Sendable {
    // MARK: Before there is a connection

    /// The settings name no database, or the pool was not started.
    case noDatabase
    /// So many wait for a connection already.
    case tooManyWaiting(limit: Int)
    /// No connection became free in time. With what stands in the way of opening one, if something does.
    case noConnection(within: Duration, problem: String?)
    /// A connection could not be opened.
    case connect(ConnectProblem)
    /// The pool, or the login this connection came from, was retired.
    case retired

    // MARK: With a connection

    /// The server refused or gave up the statement.
    case server(ServerMessage)
    /// The statement was not over in time; it was cancelled.
    case overdue(after: Duration)
    /// The connection broke. Whether the statement took effect is not known.
    case connectionLost
    /// The rows are more than fit; the statement was cancelled.
    case resultTooLarge(limit: Int)
    /// A column's bytes are not UTF-8, as a database with the encoding SQL_ASCII may hold them.
    case notText(column: String)

    /// A statement of the transaction had failed: the server rolled back where it was to commit.
    case rolledBack

    // MARK: A mistake of the caller

    /// The connection does another query right now.
    case busy
    /// The connection was used after it had been given back.
    case leaseEnded
    /// A statement or parameter that PostgreSQL cannot take, such as one with a NUL in it.
    case invalid(String)

    /// What the server says of an error.
    public struct ServerMessage: Hashable, Sendable {
        /// The server's code.
        public var state: SQLState
        /// The first line of the server's words. **May quote the statement's values**: show it to whoever asked, and keep it out
        /// of logs.
        public var message: String
        /// The constraint that does not hold, if one is named.
        public var constraint: String?

        public init(state: SQLState, message: String, constraint: String? = nil) {
            self.state = state
            self.message = message
            self.constraint = constraint
        }
    }

    /// The code, for an error that the server reported.
    public var state: SQLState? {
        switch self {
        case .server(let message): message.state
        case .connect(let problem): problem.state
        default: nil
        }
    }
}

extension PostgresError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noDatabase: "no database is set"
        case .tooManyWaiting(let limit): "\(limit) tasks wait for a connection to the database already"
        case .noConnection(let time, let problem):
            "no connection to the database became free within \(time)" + (problem.map { ": \($0)" } ?? "")
        case .connect(let problem): problem.sentence
        case .retired: "the pool that the connection came from was retired"
        case .server(let message): "the database refused the statement (\(message.state)\(message.constraint.map { ", \($0)" } ?? ""))"
        case .overdue(let time): "the statement was not over within \(time) and was cancelled"
        case .connectionLost: "the connection to the database broke"
        case .resultTooLarge(let limit): "the statement's rows are more than \(limit) bytes"
        case .notText(let column): "column \(column) holds bytes that are not UTF-8"
        case .rolledBack: "the transaction was rolled back, because one of its statements had failed"
        case .busy: "a connection does one query at a time, and this one is at another"
        case .leaseEnded: "the connection was given back"
        case .invalid(let problem): problem
        }
    }
}
