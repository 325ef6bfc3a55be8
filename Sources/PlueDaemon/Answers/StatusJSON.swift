import Foundation
import OrderedCollections
public import PlueConfig

/// How things stand, as `GET /v1/status` and `plue status --format json` give it.
public enum StatusJSON {
    /// The object of DESIGN.md §14.
    public static func status(_ status: Status) -> JSONValue {
        [
            "version": .integer(status.version),
            "digest": .string(status.digest),
            "environment": .string(status.environment.rawValue),
            "state": .string(status.state.rawValue),
            "drift": .boolean(status.drift),
            "lastKnownGood": .boolean(status.isLastKnownGood),
            "lastAttempt": status.lastAttempt.map(attempt) ?? .null,
            "pendingRestart": .array(status.pendingRestart.map { .string($0.description) }),
            "watch": ["mode": .string(status.watch.mode), "reason": status.watch.reason.map(JSONValue.string) ?? .null],
            "confirm": status.confirmation.map(confirmation) ?? .null,
            "services": .array(
                status.services.map {
                    [
                        "name": .string($0.name), "state": .string($0.state), "version": .integer($0.version),
                        "draining": .integer($0.draining),
                    ]
                }),
        ]
    }

    /// A version that waits.
    static func confirmation(_ confirmation: Confirmation) -> JSONValue {
        [
            "version": .integer(confirmation.version), "fallback": .integer(confirmation.fallback),
            "deadline": .string(confirmation.deadline.formatted(.iso8601)),
            "remainingSeconds": .integer(Int(max(0, min(confirmation.deadline.timeIntervalSinceNow, 1e9)).rounded(.up))),
        ]
    }

    /// A candidate's way through the pipeline.
    public static func attempt(_ attempt: Attempt) -> JSONValue {
        JSONValue([
            "id": .integer(attempt.id),
            "trigger": .string(attempt.cause.trigger.rawValue),
            "actor": .string(attempt.cause.actor),
            "reason": attempt.cause.reason.isEmpty ? nil : .string(attempt.cause.reason),
            "at": .string(attempt.at.formatted(.iso8601)),
            "durationMs": .integer(milliseconds(attempt.duration)),
            "phase": .string(attempt.phase.rawValue),
            "outcome": attempt.outcome.map { .string($0.rawValue) } ?? .null,
            "problem": attempt.problem.map(JSONValue.string) ?? .null,
            "version": attempt.version.map(JSONValue.integer),
            "services": attempt.services.isEmpty ? nil : .array(attempt.services.map(service)),
            "diagnostics": attempt.diagnostics.isEmpty ? nil : DiagnosticJSON.report(attempt.diagnostics)["diagnostics"],
        ])
    }

    /// An event's data with the event's name, a line of `plue watch --format json`.
    public static func event(_ name: String, _ data: JSONValue) -> JSONValue {
        var line: JSONValue = ["event": .string(name)]
        for (member, value) in data.members { line[member] = value }
        return line
    }

    static func service(_ result: ServiceResult) -> JSONValue {
        JSONValue([
            "name": .string(result.name), "action": .string(result.action.rawValue), "outcome": .string(result.outcome.rawValue),
            "problem": result.problem.map(JSONValue.string), "durationMs": .integer(milliseconds(result.duration)),
        ])
    }

    static func milliseconds(_ duration: Duration) -> Int {
        Int(clamping: duration.components.seconds).multipliedReportingOverflow(by: 1000).partialValue
            &+ Int(duration.components.attoseconds / 1_000_000_000_000_000)
    }
}

/// The history, as `plue history --format json` gives it.
public enum HistoryJSON {
    /// `{"entries":[…],"next":17}`
    public static func page(_ page: HistoryPage) -> JSONValue {
        ["entries": .array(page.entries.map(entry)), "next": page.next.map(JSONValue.integer) ?? .null]
    }

    static func entry(_ entry: HistoryPage.Entry) -> JSONValue {
        var json = StatusJSON.attempt(entry.attempt)
        if let version = entry.version {
            json["parent"] = version.parent.map(JSONValue.integer) ?? .null
            json["digest"] = .string(version.digest)
            json["environment"] = .string(version.environment.rawValue)
            json["changed"] = .array(version.changedKeys.map { .string($0.description) })
        }
        return json
    }
}
