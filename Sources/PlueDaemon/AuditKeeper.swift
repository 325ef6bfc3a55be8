import Foundation
import Logging
import PlueConfig
import PlueLedger
import PlueSecrets
import ServiceLifecycle

/// Signs the audit log every minute when there is something new in it, has it give a sign of life every day, and tells it when the
/// wall clock was set and when the keyring is another one.
struct AuditKeeper: Service {
    let ledger: Ledger
    let secrets: SecretOpener
    let logger: Logger

    private static let interval = Duration.seconds(60)
    private static let heartbeat = Duration.seconds(86_400)
    /// NTP slews less than this in a minute; what is more was set.
    private static let clockTolerance = Duration.seconds(2)

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            var last = ContinuousClock.now
            var keys = secrets.digest
            var (wall, steady) = (Date(), ContinuousClock.now)
            while !Task.isCancelled {
                try await Task.sleep(for: Self.interval)
                let jump = Duration.seconds(Date().timeIntervalSince(wall)) - steady.duration(to: .now)
                (wall, steady) = (Date(), .now)
                do {
                    if abs(jump / .seconds(1)) > Self.clockTolerance / .seconds(1) { try await ledger.noteClockJump(of: jump) }
                    if secrets.digest != keys {
                        try await ledger.noteKeys(secrets.summary, by: Cause(.file, actor: "system"))
                        keys = secrets.digest
                    }
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
