import OrderedCollections
public import PlueAudit
public import PlueConfig

/// Picks entries, in the order they were written.
public struct AuditFilter: Sendable {
    /// The earliest time wanted, as entries write it; empty for any.
    public let earliest: String
    /// A setting, or a section with all that is in it.
    public let key: String?
    public let actor: String?
    /// The candidates found so far: what became of them is told by a later entry.
    private var attempts: Set<String> = []

    public init(earliest: String, key: String?, actor: String?) {
        self.earliest = earliest
        self.key = key
        self.actor = actor
    }

    public mutating func takes(_ record: AuditRecord) -> Bool {
        if record["time"] ?? "" < earliest { return false }
        if let actor, record["actor"] != actor { return false }
        return key.map { concerns(record, $0) } ?? true
    }

    /// Whether an entry is of a candidate that changes the setting, or that was refused because of it.
    private mutating func concerns(_ record: AuditRecord, _ key: String) -> Bool {
        if let attempt = record["attempt"], attempts.contains(attempt) { return true }
        let isConcerned = record.fields.contains { field in
            switch field.name {
            case "change": field.value.hasPrefix(key + " = ") || field.value.hasPrefix(key + ".")
            case "key": field.value == key || field.value.hasPrefix(key + ".")
            default: false
            }
        }
        if isConcerned, let attempt = record["attempt"] { attempts.insert(attempt) }
        return isConcerned
    }
}

extension AuditRecord {
    /// What is a number by its meaning; anything else is text, whatever it looks like.
    private static let numbers: Set<String> = [
        "seq", "monotonic", "attempt", "version", "parent", "after", "milliseconds", "changes", "writes", "fallback", "times", "unrestored",
        "checkpoint-every",
    ]

    /// `{"seq":12,"time":"…","action":"outcome",…,"change":["server.port = 8080 → 8081"]}`
    public var json: JSONValue {
        var json: JSONValue = [:]
        var changes: [JSONValue] = []
        for field in fields {
            if field.name == "change" {
                changes.append(.string(field.value))
            } else if Self.numbers.contains(field.name), let number = Int(field.value), String(number) == field.value {
                json[field.name] = .integer(number)
            } else {
                json[field.name] = .string(field.value)
            }
        }
        if !changes.isEmpty { json["change"] = .array(changes) }
        return json
    }
}
