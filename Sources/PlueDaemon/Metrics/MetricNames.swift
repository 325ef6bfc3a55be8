/// What each metric says; Documentation/metrics.md has the same with examples of alerts.
enum MetricNames {
    static let help = [
        "plue_awaiting_confirmation": "1 while a version waits to be confirmed.",
        "plue_certificate_expiry_timestamp_seconds": "When the served TLS certificate expires.",
        "plue_change_detected_total": "Changes of files that were noticed, by what noticed them.",
        "plue_degraded": "1 while what runs is not what any version says.",
        "plue_draining_connections": "Connections of listeners that were replaced, which end by themselves or at their deadline.",
        "plue_draining_instances": "Replaced instances of a service that still drain.",
        "plue_drift": "1 while the files say something else than what runs.",
        "plue_event_streams": "Open event streams.",
        "plue_last_known_good": "1 while the version that ran last runs in the place of files that were invalid at the start.",
        "plue_last_reload_success": "1 when the last candidate was taken, 0 when it was refused.",
        "plue_last_reload_success_timestamp_seconds": "When the version that runs became live.",
        "plue_last_reload_timestamp_seconds": "When the last candidate came.",
        "plue_pending_restart": "Settings that take effect at the next start.",
        "plue_phase_seconds": "How long the stages of the road took.",
        "plue_reloads_total": "Candidates, by what became of them and by what brought them.",
        "plue_service_phase_seconds": "How long each service took to prepare, activate and verify.",
        "plue_version": "The version that runs.",
    ]
}
