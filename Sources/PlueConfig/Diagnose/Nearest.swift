/// The known name that somebody who wrote `name` most likely meant; `nil` when none is close.
public func suggestion(for name: String, among known: some Sequence<String>) -> String? { nearest(name, among: known) }

/// The known name that somebody who wrote `name` most likely meant, for "did you mean …?"; `nil` when none is close.
///
/// Close is a Damerau–Levenshtein distance (swapped neighbours count once) of at most a third of the name's length, at least 1;
/// a slip in case alone is always close.
func nearest(_ name: String, among known: some Sequence<String>) -> String? {
    let wanted = Array(name.lowercased().unicodeScalars)
    // Longer names are nobody's typo, and the table below grows with their square.
    guard wanted.count <= 128 else { return nil }
    let limit = max(1, wanted.count / 3)
    var best: (name: String, distance: Int)?
    for candidate in known {
        let letters = Array(candidate.lowercased().unicodeScalars)
        guard abs(letters.count - wanted.count) <= limit, !letters.isEmpty else { continue }
        let distance = editDistance(wanted, letters)
        if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.name
}

/// The optimal string alignment distance.
private func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
    var beforeLast = [Int](repeating: 0, count: right.count + 1)
    var last = Array(0...right.count)
    for (row, a) in left.enumerated() {
        var current = [row + 1]
        current.reserveCapacity(right.count + 1)
        for (column, b) in right.enumerated() {
            var cost = min(current[column] + 1, last[column + 1] + 1, last[column] + (a == b ? 0 : 1))
            if row > 0, column > 0, a == right[column - 1], left[row - 1] == b {
                cost = min(cost, beforeLast[column - 1] + 1)
            }
            current.append(cost)
        }
        (beforeLast, last) = (last, current)
    }
    return last[right.count]
}
