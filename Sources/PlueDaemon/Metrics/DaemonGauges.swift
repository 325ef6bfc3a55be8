import Foundation
import PlueConfig
import PlueHTTP

/// The daemon's figures that are looked up when somebody asks. None is a setting's value.
enum DaemonGauges {
    static func of(_ manager: ConfigManager<DaemonSettings>, _ http: HTTPServer, _ events: EventHub) async -> [MetricsRegistry.Gauge] {
        let status = await manager.status
        var gauges: [MetricsRegistry.Gauge] = [
            .init("plue_version", [("environment", status.environment.rawValue)], Double(status.version)),
            .init("plue_drift", status.drift ? 1 : 0),
            .init("plue_degraded", status.state == .degraded ? 1 : 0),
            .init("plue_last_known_good", status.isLastKnownGood ? 1 : 0),
            .init("plue_awaiting_confirmation", status.confirmation == nil ? 0 : 1),
            .init("plue_pending_restart", Double(status.pendingRestart.count)),
            .init("plue_last_reload_success", status.lastAttempt.map { $0.outcome == .committed } ?? true ? 1 : 0),
            .init("plue_last_reload_success_timestamp_seconds", events.liveSince.timeIntervalSince1970.rounded()),
            .init("plue_event_streams", Double(events.listenerCount)),
            .init("plue_draining_connections", Double(http.drainingConnectionCount)),
        ]
        if let attempt = status.lastAttempt {
            gauges.append(.init("plue_last_reload_timestamp_seconds", attempt.at.timeIntervalSince1970.rounded()))
        }
        gauges += status.services.map { .init("plue_draining_instances", [("service", $0.name)], Double($0.draining)) }
        if let certificate = http.certificate {
            let expiry = certificate.notAfter.timeIntervalSince1970.rounded()
            gauges.append(.init("plue_certificate_expiry_timestamp_seconds", [("service", DaemonServices.http)], expiry))
        }
        return gauges
    }
}
