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
            lines.append(
                "waits \(confirm["remainingSeconds"]?.integer ?? 0) s for 'plue confirm'; after that version \(confirm["fallback"]?.integer ?? 0) comes back"
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
        for service in status["services"]?.elements ?? [] {
            let draining = service["draining"]?.integer ?? 0
            lines.append(
                "service \(service["name"]?.string ?? "?"): \(service["state"]?.string ?? "?")\(draining > 0 ? ", \(draining) draining" : "")"
            )
        }
        return lines.joined(separator: "\n")
    }

    /// `plue reload`.
    public static func reload(_ answer: JSONValue) -> String {
        let changed = answer["changed"]?.elements.compactMap(\.string) ?? []
        let version = answer["version"]?.integer ?? 0
        if !changed.isEmpty { return "version \(version): \(changed.joined(separator: ", "))" }
        return answer["committed"]?.boolean == true
            ? "version \(version): other documents, the same values" : "version \(version): nothing changed"
    }

    /// `plue watch`.
    public static func event(_ event: JSONValue) -> String {
        let changed = event["changed"]?.elements.compactMap(\.string) ?? []
        let version = "version \(event["version"]?.integer ?? 0) of \(event["environment"]?.string ?? "?")"
        return changed.isEmpty ? "\(version) runs" : "\(version): \(changed.joined(separator: ", "))"
    }
}
