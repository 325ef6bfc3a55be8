import Logging
import PlueLedger
import ServiceLifecycle

/// Signs the audit log every minute when there is something new in it, and has it give a sign of life every day.
struct AuditKeeper: Service {
    let ledger: Ledger
    let logger: Logger

    private static let interval = Duration.seconds(60)
    private static let heartbeat = Duration.seconds(86_400)

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            var last = ContinuousClock.now
            while !Task.isCancelled {
                try await Task.sleep(for: Self.interval)
                do {
                    if last.duration(to: .now) >= Self.heartbeat {
                        try await ledger.heartbeat()
                        last = .now
                    } else {
                        try await ledger.checkpoint()
                    }
                } catch {
                    // The next minute tries again; what cannot be written at all is refused where it is asked for.
                    logger.error("the audit log could not be signed", metadata: ["problem": "\(error)"])
                }
            }
        }
    }
}
