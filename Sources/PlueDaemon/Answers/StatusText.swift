public import PlueConfig

/// The daemon's answers in words, for a terminal.
public enum StatusText {
    /// `plue status`.
    public static func text(_ status: JSONValue) -> String {
        var lines = [
            "\(status["state"]?.string ?? "?"): version \(status["version"]?.integer ?? 0) of \(status["environment"]?.string ?? "?")"
        ]
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
        return changed.isEmpty ? "version \(version): nothing changed" : "version \(version): \(changed.joined(separator: ", "))"
    }

    /// `plue watch`.
    public static func event(_ event: JSONValue) -> String {
        let changed = event["changed"]?.elements.compactMap(\.string) ?? []
        let version = "version \(event["version"]?.integer ?? 0) of \(event["environment"]?.string ?? "?")"
        return changed.isEmpty ? "\(version) runs" : "\(version): \(changed.joined(separator: ", "))"
    }
}
