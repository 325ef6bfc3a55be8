import CPlueSystem
import Dispatch
import Foundation
import Logging
import PlueConfig
import ServiceLifecycle
import SystemPackage

/// Who started the daemon and wants to hear how it fares, as systemd does with `Type=notify-reload`.
///
/// Source: sd_notify(3), systemd.service(5). Without `$NOTIFY_SOCKET` nobody asked, and nothing is sent.
struct Supervisor: Sendable {
    private let socket: String
    private let logger: Logger

    init?(_ variables: [String: String], logger: Logger) {
        guard let socket = variables["NOTIFY_SOCKET"], socket.hasPrefix("/") || socket.hasPrefix("@") else { return nil }
        self.socket = socket
        self.logger = logger
    }

    func ready(_ status: String) { send(["READY=1", Self.line(status)]) }

    func status(_ status: String) { send([Self.line(status)]) }

    /// systemd tells this from an answer to an earlier signal by the time, which it compares with its own monotonic clock.
    func reloading() { send(["RELOADING=1", "MONOTONIC_USEC=\(DispatchTime.now().uptimeNanoseconds / 1000)"]) }

    func stopping() { send(["STOPPING=1"]) }

    /// One line of bounded length, whatever a message holds: each further line would be an assignment of its own.
    private static func line(_ status: String) -> String {
        let flat = status.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) }
        return "STATUS=" + String(flat.prefix(500))
    }

    private func send(_ assignments: [String]) {
        let message = Array(assignments.joined(separator: "\n").utf8)
        guard plue_send_datagram(socket, message, message.count) != 0 else { return }
        let problem = Errno(rawValue: errno)
        logger.warning("the supervisor cannot be told", metadata: ["socket": "\(socket)", "problem": "\(problem)"])
    }
}

/// Tells the supervisor how the configuration fares, from the first version that serves to the end.
struct Supervision: Service {
    private let manager: ConfigManager<DaemonSettings>
    private let supervisor: Supervisor?

    init(of manager: ConfigManager<DaemonSettings>, by supervisor: Supervisor?) {
        self.manager = manager
        self.supervisor = supervisor
    }

    func run() async throws {
        guard let supervisor else { return }
        let observation = manager.onReload { [weak manager] event in
            guard let manager else { return }
            switch event {
            case .confirmation: break
            case .hangup: supervisor.reloading()
            case .ended(let outcome): supervisor.status(Self.verdict(outcome, in: manager))
            case .hangupAnswered(let outcome): supervisor.ready(Self.verdict(outcome, in: manager))
            }
        }
        defer { observation.cancel() }
        let isLastKnownGood = await manager.status.isLastKnownGood
        supervisor.ready(Self.running(manager) + (isLastKnownGood ? "; the files are invalid, this is the last known good" : ""))
        try? await gracefulShutdown()
        supervisor.stopping()
    }

    private static func running(_ manager: ConfigManager<DaemonSettings>) -> String {
        "version \(manager.snapshot.version) of \(manager.environment) runs"
    }

    private static func verdict(_ outcome: ReloadOutcome, in manager: ConfigManager<DaemonSettings>) -> String {
        guard case .rejected(let attempt) = outcome else { return running(manager) }
        return "\(running(manager)); \(attempt.outcome == .degraded ? "degraded" : "a change was refused"): \(attempt.problem ?? "")"
    }
}
