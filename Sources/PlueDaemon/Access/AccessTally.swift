import Foundation
import PlueLedger

/// Which of the things that happen at the door get an entry of their own: the first of a kind in each period, and what follows as one
/// number. A pure value; time is given.
///
/// However many knock, a period has at most seventeen entries, and a period in which it was too much makes the next one twice as long,
/// up to an hour.
struct AccessTally {
    private static let most = 16
    private static let shortest: TimeInterval = 60
    private static let longest: TimeInterval = 3600

    private struct Key: Hashable {
        let kind: AccessEvent.Kind
        let actor: String
        let address: String
        let call: String
    }

    /// How often each came since its own entry.
    private var counts: [Key: Int] = [:]
    /// What came beside those that have an entry.
    private var others: [AccessEvent.Kind: Int] = [:]
    private var period = Self.shortest
    private var began: Date?

    /// Takes note of one.
    /// - Returns: What to write at once; `nil` when it is counted.
    mutating func add(_ event: AccessEvent, at time: Date) -> AccessEvent? {
        if began == nil { began = time }
        let key = Key(kind: event.kind, actor: event.actor, address: event.address, call: event.call)
        if let count = counts[key] {
            counts[key] = count + 1
            return nil
        }
        guard counts.count < Self.most else {
            others[event.kind, default: 0] += 1
            return nil
        }
        counts[key] = 0
        return event
    }

    /// What was counted and is to be written now: at the end of a period, or of everything.
    mutating func take(at time: Date, isLast: Bool = false) -> [AccessEvent] {
        guard let began, isLast || time.timeIntervalSince(began) >= period || time < began else { return [] }
        var events = counts.filter { $0.value > 0 }.map { key, count in
            AccessEvent(key.kind, actor: key.actor, address: key.address, call: key.call, times: count)
        }
        events.sort { ($0.kind.rawValue, $0.actor, $0.address, $0.call) < ($1.kind.rawValue, $1.actor, $1.address, $1.call) }
        events += others.sorted { $0.key.rawValue < $1.key.rawValue }.map { kind, count in
            AccessEvent(kind, actor: "others", address: "", call: "", times: count)
        }
        let wasTooMuch = !others.isEmpty || counts.values.contains { $0 > Self.most }
        period = wasTooMuch ? min(period * 2, Self.longest) : Self.shortest
        (counts, others, self.began) = ([:], [:], nil)
        return events
    }
}
