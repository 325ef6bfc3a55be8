import Synchronization

extension Session {
    /// Connects and logs in.
    ///
    /// libpq looks up names, reads keys and derives them on the way, so that its steps run on threads that may block.
    /// - Parameter timeout: How long before the deadline it began, for the error's words.
    static func open(
        _ login: Login, statementTimeout: Duration, until deadline: Instant, timeout: Duration, on reactor: Reactor
    ) async throws -> Session {
        try Task.checkCancellation()
        let attempt = Attempt()
        func step(_ work: @escaping @Sendable () -> Attempt.Step) async -> Attempt.Step {
            await offPool(until: deadline, on: reactor, overdue: .overdue, cancelled: .cancelled, work)
        }
        var next = await step { attempt.begin(login, statementTimeout: statementTimeout) }
        while true {
            switch next {
            case .waiting(let interest, let socket):
                switch await reactor.wait(for: interest, on: socket, until: deadline) {
                case .ready: next = await step { attempt.proceed() }
                case .overdue: next = .overdue
                case .cancelled: next = .cancelled
                case .failed: next = .failed("")
                }
            case .done:
                guard let connection = attempt.take() else { throw PostgresError.connectionLost }
                return Session(connection, on: reactor, statementTimeout: statementTimeout)
            case .failed(let words): throw PostgresError.connect(ConnectProblem(words, of: login))
            case .overdue: throw PostgresError.connect(.overdue(login, after: timeout))
            case .cancelled: throw CancellationError()
            }
        }
    }

    /// A connection that is not one yet. When it is left behind in the middle of a step, it ends with that step.
    private final class Attempt: Sendable {
        enum Step: Sendable {
            case waiting(Reactor.Interest, on: Int32)
            case done
            case failed(String)
            case overdue, cancelled
        }

        private let connection = Mutex<PGConnection?>(nil)

        func begin(_ login: Login, statementTimeout: Duration) -> Step {
            let address = PGConnection.start(login, statementTimeout: statementTimeout)
            return connection.withLock { connection in
                connection = PGConnection(takingOver: address)
                guard let socket = connection?.socket, let words = connection?.words else { return .failed("out of memory") }
                // The first step is one as if the socket could be written.
                return connection?.hasFailed ?? true ? .failed(words) : .waiting(.writing, on: socket)
            }
        }

        func proceed() -> Step {
            connection.withLock { connection in
                switch connection?.proceed() {
                case .waiting(let interest): .waiting(interest, on: connection?.socket ?? -1)
                case .done: .done
                case .failed, nil: .failed(connection?.words ?? "")
                }
            }
        }

        func take() -> PGConnection? {
            connection.withLock { connection in connection.take() }
        }
    }
}
