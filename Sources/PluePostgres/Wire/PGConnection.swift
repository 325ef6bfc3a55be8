import CLibPQ
import Foundation

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// libpq's connection. All calls of the library that could matter to two threads at once are in this file, behind the lock of
/// the ``Session`` that owns it.
struct PGConnection: ~Copyable {
    private let raw: OpaquePointer

    /// - Parameter address: What ``start(_:statementTimeout:)`` returned.
    init?(takingOver address: UInt) {
        guard let raw = OpaquePointer(bitPattern: address) else { return nil }
        self.raw = raw
    }

    /// Says goodbye, when there is somebody to say it to, and closes the socket. Does not block: the socket does not.
    deinit { PQfinish(raw) }

    // MARK: - Opening

    /// Begins to connect. Blocks while the host's name is looked up.
    /// - Returns: The connection's address, for ``init(takingOver:)``.
    static func start(_ login: Login, statementTimeout: Duration) -> UInt {
        let raw: OpaquePointer? = login.withParameters(statementTimeout: statementTimeout) { names, values in
            PQconnectStartParams(names, values, 0)
        }
        // With the code in front, so that a failed login can be told from a server that starts.
        PQsetErrorVerbosity(raw, PQERRORS_VERBOSE)
        // Otherwise they are printed.
        PQsetNoticeReceiver(raw, { _, _ in }, nil)
        return UInt(bitPattern: raw)
    }

    enum Opening: Sendable {
        case waiting(Reactor.Interest)
        case done, failed
    }

    /// The next step of the login, once the socket is ready for it. May block: it reads keys, and derives them.
    func proceed() -> Opening {
        switch PQconnectPoll(raw) {
        case PGRES_POLLING_READING: .waiting(.reading)
        case PGRES_POLLING_WRITING: .waiting(.writing)
        case PGRES_POLLING_OK: PQsetnonblocking(raw, 1) == 0 ? .done : .failed
        default: .failed
        }
    }

    var hasFailed: Bool { PQstatus(raw) == CONNECTION_BAD }

    /// What libpq says went wrong; several lines, and not for showing.
    var words: String { PQerrorMessage(raw).map { String(cString: $0) } ?? "" }

    /// Changes while connecting, then not any more.
    var socket: Int32 { PQsocket(raw) }

    var usesTLS: Bool { PQsslInUse(raw) != 0 }

    /// The server's process for this connection.
    var backend: Int32 { PQbackendPID(raw) }

    // MARK: - Statements

    /// One statement with parameters as texts; or several without, in one transaction.
    enum Statement: Sendable {
        case extended(String, [String?])
        case simple(String)
    }

    /// - Returns: Whether libpq took it.
    func send(_ statement: Statement) -> Bool {
        switch statement {
        case .simple(let sql): return PQsendQuery(raw, sql) == 1
        case .extended(let sql, let parameters):
            let copies = parameters.map { $0.map { strdup($0) } }
            defer { for copy in copies { free(copy ?? nil) } }
            let values = copies.map { UnsafePointer<CChar>($0 ?? nil) }
            guard PQsendQueryParams(raw, sql, Int32(clamping: values.count), nil, values, nil, nil, 0) == 1 else { return false }
            // Row by row, so that a result that is too large is noticed before it is in memory.
            return PQsetSingleRowMode(raw) == 1
        }
    }

    enum Progress: Sendable {
        case waiting(Reactor.Interest)
        case finished, lost
    }

    /// Sends what is left to send and takes what has come.
    func advance(_ reply: inout Reply) -> Progress {
        let unsent = PQflush(raw)
        while true {
            // Of a TLS record, libpq may have kept a part that no longer shows at the socket. A look that began with an empty
            // socket leaves nothing such behind.
            let looksAgain = usesTLS && isReadable
            let isConnected = PQconsumeInput(raw) != 0
            while PQisBusy(raw) == 0 {
                guard let result = PQgetResult(raw) else { return .finished }
                reply.add(result)
                PQclear(result)
                if reply.isStuck { return .lost }
            }
            if !isConnected { return .lost }
            if !looksAgain { return unsent < 0 ? .lost : .waiting(unsent == 1 ? .both : .reading) }
        }
    }

    enum Silence: Sendable {
        case kept
        /// Something came that nobody asked for: a notice, a parameter's new value, or the server's last words.
        case broken
        case ended
    }

    /// What has come while nobody asked for anything.
    func listen() -> Silence {
        let hasSpoken = isReadable
        if hasSpoken, PQconsumeInput(raw) == 0 { return .ended }
        return PQstatus(raw) != CONNECTION_OK ? .ended : hasSpoken ? .broken : .kept
    }

    private var isReadable: Bool {
        var entry = pollfd(fd: PQsocket(raw), events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    enum Transaction: Sendable {
        case none, open, unknown
    }

    var transaction: Transaction {
        switch PQtransactionStatus(raw) {
        case PQTRANS_IDLE: .none
        case PQTRANS_INTRANS, PQTRANS_INERROR: .open
        default: .unknown
        }
    }

    /// What a request to cancel needs, as an address for ``cancel(_:)``; 0 when there is nothing to be had.
    func cancellation() -> UInt { UInt(bitPattern: PQgetCancel(raw)) }

    /// Asks the server to give up the statement of the connection, over a connection of its own: blocks until it has passed the
    /// request on.
    static func cancel(_ cancellation: UInt) -> Bool {
        guard let cancel = OpaquePointer(bitPattern: cancellation) else { return false }
        defer { PQfreeCancel(cancel) }
        var words = [CChar](repeating: 0, count: 256)
        return PQcancel(cancel, &words, Int32(clamping: words.count)) == 1
    }
}
