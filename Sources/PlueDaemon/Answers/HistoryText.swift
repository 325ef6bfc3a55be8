import Foundation
public import PlueConfig

/// The history in words, for a terminal.
public enum HistoryText {
    public static func text(_ page: HistoryPage) -> String {
        guard !page.entries.isEmpty else { return "no versions yet" }
        var table = TextTable(["ID", "VERSION", "TIME", "OUTCOME", "BY", "WHAT"])
        for entry in page.entries {
            let attempt = entry.attempt
            let what =
                entry.version.map { version in
                    let keys = version.changedKeys.prefix(4).map(\.description).joined(separator: " ")
                    return (attempt.cause.reason.isEmpty ? "" : attempt.cause.reason + ": ") + keys
                        + (version.changedKeys.count > 4 ? " …" : "")
                } ?? attempt.problem ?? ""
            table.add([
                String(attempt.id), entry.version.map { "v\($0.number)" } ?? "-", attempt.at.formatted(.iso8601),
                attempt.outcome?.rawValue ?? "under way", "\(attempt.cause.trigger.rawValue) \(attempt.cause.actor)", what,
            ])
        }
        return table.text + (page.next.map { "\nmore: --before \($0)" } ?? "")
    }
}
