/// Decides when a burst of file events is over, so that what is read is what somebody finished writing.
///
/// Any beginning of an INI file is a valid INI file: reading one that is half written would silently lose settings. So a file
/// that is being written to is left alone until its writer closes it. Pure: events and instants in, an instant to act at out.
struct WatchSettling: Sendable {
    enum Event: Hashable, Sendable {
        /// Something was renamed into place, or a writer closed its file: complete by itself.
        case completed(String)
        /// A file's content changed under an open writer.
        case modified(String)
        /// Created, deleted, moved away, other metadata: something usually follows.
        case touched(String)
        /// Events were lost; everything has to be looked at.
        case overflow
    }

    /// After something complete: the rest of the same save (a second file, a rename of the backup) follows within this.
    static let short: Duration = .milliseconds(20)
    /// After something that usually has a sequel.
    static let long: Duration = .milliseconds(100)
    /// No burst is waited for longer than this.
    static let longest: Duration = .seconds(5)

    /// Nanoseconds since an arbitrary start.
    typealias Instant = Duration

    private var began: Instant?
    private var due: Instant?
    /// Files that something usually still happens to, with the instant until which it is waited for.
    private var awaited: [String: Instant] = [:]
    /// Files with a writer that has not closed them.
    private var writers: Set<String> = []

    /// Takes an event in.
    mutating func on(_ event: Event, at now: Instant) {
        switch event {
        case .modified(let name):
            writers.insert(name)
            if began == nil { began = now }
        case .completed(let name):
            writers.remove(name)
            awaited[name] = nil
            wait(until: now + Self.short, from: now)
        case .touched(let name):
            writers.remove(name)
            if began == nil { began = now }
            awaited[name] = now + Self.long
        case .overflow:
            writers = []
            wait(until: now + Self.long, from: now)
        }
    }

    private mutating func wait(until end: Instant, from now: Instant) {
        if began == nil { began = now }
        due = Swift.max(due ?? .zero, end)
    }

    /// When to look next; `nil` when nothing has happened that asks for it.
    var deadline: Instant? {
        guard let began, let due = max(due, awaited.values.max()) else { return nil }
        // A change elsewhere does not make a half-written file whole, but a writer that never closes must not block for ever.
        return writers.isEmpty ? min(due, began + Self.longest) : began + Self.longest
    }

    /// Whether a file is being written to right now, so that a poll should not trust what it sees.
    func isWriting(at now: Instant) -> Bool {
        guard let began else { return false }
        return !writers.isEmpty && now < began + Self.longest
    }

    /// Whether it is time to act; if so, everything is forgotten.
    mutating func takeDue(at now: Instant) -> Bool {
        guard let deadline, deadline <= now else { return false }
        self = WatchSettling()
        return true
    }
}

private func max(_ left: Duration?, _ right: Duration?) -> Duration? {
    guard let left, let right else { return left ?? right }
    return Swift.max(left, right)
}
