/// What a statement returned: rows of texts, as PostgreSQL writes its values.
public struct PostgresResult: Hashable, Sendable {
    /// The columns' names, in order; not always distinct.
    public var columns: [String] = []
    /// A value for each column; `nil` is NULL.
    public var rows: [[String?]] = []
    /// What the server says it did: `SELECT 3`, `COMMIT`.
    public var command = ""
    /// How many rows the statement returned or changed.
    public var affected = 0

    public init() {}

    /// The first row's first value.
    public var value: String? { rows.first?.first.flatMap(\.self) }
}
