/// What a document shares with another one at its two ends, and what is its own in between.
///
/// Configuration changes a line or two at a time; kept this way such a change costs its own bytes and not the whole
/// document again. There is no search in it: two loops find the ends, one concatenation puts them back.
struct DocumentDelta: Hashable {
    /// How many bytes at the start, and at the end, are the base's.
    var head: Int
    var tail: Int
    var middle: [UInt8]

    /// How many deltas may be needed to build a document: reading one stays a handful of look-ups.
    static let longestChain = 16

    /// `nil` when it would not save at least half of the document.
    init?(from base: [UInt8], to target: [UInt8]) {
        let shorter = min(base.count, target.count)
        var head = 0
        while head < shorter, base[head] == target[head] { head += 1 }
        var tail = 0
        while tail < shorter - head, base[base.count - 1 - tail] == target[target.count - 1 - tail] { tail += 1 }
        let middle = target[head..<(target.count - tail)]
        // Below this the two numbers and the base's id cost more than they save.
        guard target.count > 128, middle.count <= target.count / 2 else { return nil }
        self.init(head: head, tail: tail, middle: Array(middle))
    }

    init(head: Int, tail: Int, middle: [UInt8]) {
        self.head = head
        self.tail = tail
        self.middle = middle
    }

    /// `nil` when the delta does not fit this base, which only a damaged database brings about.
    func applied(to base: [UInt8]) -> [UInt8]? {
        guard head >= 0, tail >= 0, head <= base.count, tail <= base.count - head else { return nil }
        return base[..<head] + middle + base[(base.count - tail)...]
    }
}
