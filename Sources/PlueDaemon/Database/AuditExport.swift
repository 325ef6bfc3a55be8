import Logging
import PlueConfig
import PlueLedger
import PluePostgres
import ServiceLifecycle
import Synchronization

/// Follows the audit log into a table of the database, as long as `database.audit_export` is set.
///
/// It reads what the log has, so nothing that is written there waits for it: after an outage, a kill, or a time without the setting it
/// goes on where the table is.
final class AuditExport: Service {
    /// How far it has come, for the status.
    struct Progress: Hashable, Sendable {
        /// The newest entry that is in the table; `nil` before the table was asked.
        var sequence: Int?
        /// Why it does not go on, while it does not.
        var problem: String?
    }

    private let manager: ConfigManager<DaemonSettings>
    private let ledger: Ledger
    private let pool: PostgresPool
    private let logger: Logger
    private let state = Mutex(Progress())

    private static let interval = Duration.seconds(1)
    private static let longestPause = Duration.seconds(30)
    private static let batch = 500

    init(of ledger: Ledger, through pool: PostgresPool, _ manager: ConfigManager<DaemonSettings>, logger: Logger) {
        self.ledger = ledger
        self.pool = pool
        self.manager = manager
        self.logger = logger
    }

    /// `nil` while nothing is exported.
    var progress: Progress? { manager.read { $0.database.auditExport } ? state.withLock { $0 } : nil }

    func run() async throws {
        try? await cancelWhenGracefulShutdown { try await self.follow() }
    }

    private func follow() async throws {
        var position: AuditTable.Position?
        var table: AuditTable?
        var pause = Self.interval
        var place: String?
        while true {
            try await Task.sleep(for: pause)
            // Another database has another table, which is asked where it is.
            let wanted = wantedPlace
            if wanted != place { (place, position, pause) = (wanted, nil, Self.interval) }
            guard wanted != nil else {
                state.withLock { $0 = Progress() }
                continue
            }
            do {
                if let position, try await batch(after: position) == AuditTable.Batch() { continue }
                let table = try table ?? AuditTable(origin: ledger.auditOrigin)
                if position == nil { try await table.create(through: pool) }
                position = try await table.catchUp(through: pool) { try await self.batch(after: $0) }
                report(position?.sequence, nil)
                pause = Self.interval
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                // Whatever it was: the table is looked at anew.
                (position, table) = (nil, nil)
                pause = min(pause * 2, Self.longestPause)
                report(nil, Self.sentence(for: error))
            }
        }
    }

    /// The database that is to have a copy; `nil` for none.
    private var wantedPlace: String? { manager.read { $0.database.auditExport && $0.database.url != "" ? $0.database.url : nil } }

    private func batch(after position: AuditTable.Position) async throws -> AuditTable.Batch {
        let log = try await ledger.reader.auditLog(after: position.sequence, checkpoint: position.checkpoint, limit: Self.batch)
        return AuditTable.Batch(
            rows: log.rows.map { AuditTable.Row(sequence: $0.sequence, entry: $0.entry, leaf: Self.hex($0.leaf)) },
            checkpoints: log.checkpoints.map { AuditTable.Checkpoint(size: $0.size, note: $0.note) })
    }

    /// Says in the log when it stops and when it goes on, and not each time it tries.
    private func report(_ sequence: Int?, _ problem: String?) {
        let before = state.withLock { state in
            defer { state = Progress(sequence: sequence ?? state.sequence, problem: problem) }
            return state.problem
        }
        guard before != problem else { return }
        if let problem {
            logger.warning("the audit log is not exported; it is caught up on later", metadata: ["problem": "\(problem)"])
        } else {
            logger.notice("the audit log is exported again", metadata: ["entries": "\(sequence ?? 0)"])
        }
    }

    private static func sentence(for error: any Error) -> String {
        switch error {
        case let error as PostgresError: "\(error)"
        case let error as AuditTable.Conflict: "\(error)"
        case let error as LedgerError: "\(error)"
        default: "\(type(of: error))"
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
