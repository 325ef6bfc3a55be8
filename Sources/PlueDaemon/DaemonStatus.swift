import PlueConfig
import PluePostgres
import PlueProcess
import PlueSSH
import SystemPackage

/// How things stand, with what the daemon's own services know of themselves: the answer of the API, of `plue status` and of ssh.
struct DaemonStatus: Sendable {
    let manager: ConfigManager<DaemonSettings>
    let deployment: Deployment
    let pool: PostgresPool
    let ssh: SSHServer
    let export: AuditExport
    /// The external daemons that were there at the start.
    let followed: Set<String>

    /// The object of DESIGN.md §14.
    func json() async -> JSONValue {
        var status = StatusJSON.status(await manager.status)
        status["directory"] = .string(deployment.resolvedDirectory.string)
        status["services"] = .array((status["services"]?.elements ?? []).map(detailed))
        status["pendingRestart"] = .array(
            (status["pendingRestart"]?.elements ?? []) + waiting(in: manager.current).map { .string(DaemonServices.daemon($0)) })
        return status
    }

    /// The sections of external daemons that came while this process runs: they are followed from its next start on.
    func waiting(in settings: DaemonSettings) -> [String] { settings.daemons.keys.filter { !followed.contains($0) }.sorted() }

    private func detailed(_ service: JSONValue) -> JSONValue {
        var service = service
        switch service["name"]?.string {
        case DaemonServices.database: add(pool.status, to: &service)
        case DaemonServices.ssh:
            if let address = ssh.address {
                service["address"] = .string(address.description)
                service["sessions"] = .integer(ssh.connectionCount)
            } else {
                service["state"] = "off"
            }
        default: break
        }
        return service
    }

    private func add(_ status: PostgresPool.Status, to service: inout JSONValue) {
        switch status.state {
        case .off:
            service["state"] = "off"
            return
        case .ready: break
        case .degraded(let reason):
            service["state"] = "degraded"
            service["problem"] = .string(reason)
        }
        service["connections"] = [
            "open": .integer(status.open), "idle": .integer(status.idle), "leased": .integer(status.leased),
            "waiting": .integer(status.waiting),
        ]
        if let progress = export.progress {
            service["auditExport"] = [
                "sequence": progress.sequence.map { .integer($0) } ?? .null, "problem": progress.problem.map { .string($0) } ?? .null,
            ]
        }
    }
}

extension DaemonStatus {
    /// What a change would do, external daemons that have to wait for the next start included.
    func answer(to change: PlannedChange<DaemonSettings>, _ fingerprints: Fingerprints) -> JSONValue {
        let plan = change.planned.plan
        let settings = change.planned.snapshot.value
        let waiting = waiting(in: settings)
        let later = waiting.map { name in
            PlannedService(
                name: DaemonServices.daemon(name), action: .restart,
                verification: DaemonServices.daemonSettings(name, settings)?.verification ?? "")
        }
        var answer = PlanAnswer.json(
            changes: plan.changes, beside: change.version, taking: plan.services + later,
            of: manager.serviceNames + waiting.map(DaemonServices.daemon), writes: change.writes, warnings: plan.warnings, fingerprints)
        answer["pendingRestart"] = .array((answer["pendingRestart"]?.elements ?? []) + later.map { .string($0.name) })
        return answer
    }
}
