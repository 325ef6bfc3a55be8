import CLibPQ

/// What the server has answered to a statement so far.
struct Reply {
    private(set) var result = PostgresResult()
    /// The first of several: the others follow from it.
    private(set) var error: PostgresError?
    /// The connection is in a state that nothing leads out of.
    private(set) var isStuck = false
    private(set) var size = 0
    let limit: Int

    init(limit: Int) { self.limit = limit }

    /// What a row costs beside its texts, roughly: arrays and optionals are not free.
    private static let valueCost = 16

    /// Takes one of libpq's results: a row, the end of the rows, or an error.
    mutating func add(_ result: OpaquePointer) {
        switch PQresultStatus(result) {
        case PGRES_SINGLE_TUPLE: addRow(result)
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
            if self.result.columns.isEmpty { takeColumns(result) }
            self.result.command = PQcmdStatus(result).map { String(cString: $0) } ?? ""
            self.result.affected = PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
        case PGRES_EMPTY_QUERY, PGRES_NONFATAL_ERROR: break
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            fail(.invalid("COPY to and from the client is not supported"))
            isStuck = true
        default: fail(Self.error(result))
        }
    }

    mutating func fail(_ error: PostgresError) {
        if self.error == nil { self.error = error }
        result.rows = []
    }

    private mutating func takeColumns(_ result: OpaquePointer) {
        self.result.columns = (0..<PQnfields(result)).map { column in PQfname(result, column).map { String(cString: $0) } ?? "" }
    }

    private mutating func addRow(_ result: OpaquePointer) {
        if self.result.columns.isEmpty { takeColumns(result) }
        // Whoever has got an error waits for the end of the rows alone.
        guard error == nil else { return }
        var row: [String?] = []
        row.reserveCapacity(self.result.columns.count)
        for column in 0..<PQnfields(result) {
            let length = Int(PQgetlength(result, 0, column))
            size += length + Self.valueCost
            guard size <= limit else { return fail(.resultTooLarge(limit: limit)) }
            if PQgetisnull(result, 0, column) != 0 {
                row.append(nil)
            } else if let bytes = PQgetvalue(result, 0, column),
                let text = String(validating: UnsafeRawBufferPointer(start: bytes, count: length), as: UTF8.self)
            {
                row.append(text)
            } else {
                return fail(.notText(column: PQfname(result, column).map { String(cString: $0) } ?? "\(column + 1)"))
            }
        }
        self.result.rows.append(row)
    }

    private static func error(_ result: OpaquePointer) -> PostgresError {
        func field(_ code: Unicode.Scalar) -> String? { PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) } }
        // Without a code the server said nothing: libpq itself noticed that the connection is gone.
        guard let state = field("C") else { return .connectionLost }
        let message = field("M")?.split(separator: "\n").first.map(String.init) ?? ""
        return .server(PostgresError.ServerMessage(state: SQLState(rawValue: state), message: message, constraint: field("n")))
    }
}
