public import PlueConfig

/// The daemon's answers in words, for a terminal.
public enum StatusText {
    /// `plue status`.
    public static func text(_ status: JSONValue) -> String {
        var lines = [
            "\(status["state"]?.string ?? "?"): version \(status["version"]?.integer ?? 0) of \(status["environment"]?.string ?? "?")"
        ]
        if status["lastKnownGood"]?.boolean == true { lines.append("last known good: the files were invalid at the start, and still are") }
        if let confirm = status["confirm"], confirm != .null {
            let remaining = confirm["remainingSeconds"]?.integer ?? 0
            lines.append(
                remaining == 0
                    ? "version \(confirm["version"]?.integer ?? 0) was not confirmed in time, and version \(confirm["fallback"]?.integer ?? 0) could not be brought back yet; it is tried again"
                    : "waits \(confirm["remainingSeconds"]?.integer ?? 0) s for 'plue confirm'; after that version \(confirm["fallback"]?.integer ?? 0) comes back"
            )
        }
        if status["drift"]?.boolean == true { lines.append("drift: the files say something else than what runs") }
        if let attempt = status["lastAttempt"], attempt != .null {
            var line =
                "last attempt: \(attempt["outcome"]?.string ?? "under way") at \(attempt["at"]?.string ?? "?") by \(attempt["trigger"]?.string ?? "?") in \(attempt["durationMs"]?.integer ?? 0) ms"
            if let problem = attempt["problem"]?.string { line += ": \(problem)" }
            lines.append(line)
            for diagnostic in attempt["diagnostics"]?.elements ?? [] {
                let place =
                    diagnostic["file"]?.string.map { " (\($0):\(diagnostic["line"]?.integer ?? 0):\(diagnostic["column"]?.integer ?? 0))" }
                    ?? ""
                lines.append(
                    "  \(diagnostic["severity"]?.string ?? "error")[\(diagnostic["code"]?.string ?? "")]: \(diagnostic["message"]?.string ?? "")\(place)"
                )
            }
        }
        let pending = status["pendingRestart"]?.elements.compactMap(\.string) ?? []
        if !pending.isEmpty { lines.append("after a restart: \(pending.joined(separator: ", "))") }
        let watch = status["watch"]
        lines.append("watch: \(watch?["mode"]?.string ?? "?")\(watch?["reason"]?.string.map { " (\($0))" } ?? "")")
        lines += (status["services"]?.elements ?? []).map(service)
        return visible(lines)
    }

    private static func service(_ service: JSONValue) -> String {
        var facts = [service["state"]?.string ?? "?"]
        if let problem = service["problem"]?.string { facts[0] += ": \(problem)" }
        if let address = service["address"]?.string {
            let sessions = service["sessions"]?.integer ?? 0
            facts.append("\(sessions) logged in at \(address)")
        }
        if let connections = service["connections"] {
            let waiting = connections["waiting"]?.integer ?? 0
            let open = connections["open"]?.integer ?? 0
            facts.append(
                "\(open) connection\(open == 1 ? "" : "s"), \(connections["leased"]?.integer ?? 0) lent"
                    + (waiting > 0 ? ", \(waiting) wait" : ""))
        }
        if let export = service["auditExport"] {
            let problem = export["problem"]?.string.map { ", not now: \($0)" } ?? ""
            facts.append("audit log exported up to \(export["sequence"]?.integer ?? 0)\(problem)")
        }
        let draining = service["draining"]?.integer ?? 0
        if draining > 0 { facts.append("\(draining) draining") }
        return "service \(service["name"]?.string ?? "?"): \(facts.joined(separator: ", "))"
    }

    /// The answers repeat what people wrote: each line is one line, of what can be seen.
    private static func visible(_ lines: [String]) -> String { lines.map(VisibleText.of).joined(separator: "\n") }

    /// `plue reload`.
    public static func reload(_ answer: JSONValue) -> String {
        let changed = answer["changed"]?.elements.compactMap(\.string) ?? []
        let version = answer["version"]?.integer ?? 0
        if !changed.isEmpty { return visible(["version \(version): \(changed.joined(separator: ", "))"]) }
        return answer["committed"]?.boolean == true
            ? "version \(version): other documents, the same values" : "version \(version): nothing changed"
    }

    /// `plue watch`; `nil` for an event that says nothing to people.
    public static func event(_ name: String, _ event: JSONValue) -> String? {
        let version = "version \(event["version"]?.integer ?? 0)"
        switch name {
        case "state": return visible(["\(version) of \(event["environment"]?.string ?? "?") runs"])
        case "version":
            let changed = event["changed"]?.elements.compactMap(\.string) ?? []
            let what = changed.isEmpty ? "other documents, the same values" : changed.joined(separator: ", ")
            return visible(["\(version) of \(event["environment"]?.string ?? "?"): \(what)"])
        case "attempt":
            let by = "\(event["trigger"]?.string ?? "?") \(event["actor"]?.string ?? "")"
            return visible(["refused (\(by)): \(event["problem"]?.string ?? event["outcome"]?.string ?? "?")"])
        case "confirm":
            guard event["waiting"]?.boolean == true else { return "no version waits to be confirmed any more" }
            return
                "\(version) waits \(event["remainingSeconds"]?.integer ?? 0) s for 'plue confirm'; after that version \(event["fallback"]?.integer ?? 0) comes back"
        default: return nil
        }
    }
}
