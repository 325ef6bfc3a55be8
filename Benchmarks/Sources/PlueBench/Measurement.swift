import Foundation

/// Keeps the optimizer from seeing that a result is not used.
@inline(never) @_optimize(none)
func use<Value>(_ value: Value) {}

/// Nanoseconds of the monotonic clock.
func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

/// The median time of one call in nanoseconds, over runs that are each long enough to be timed.
/// - Parameter body: Does the given number of calls.
func nanoseconds(runs: Int = 9, of body: (Int) -> Void) -> Double {
    var calls = 64
    while true {
        let start = now()
        body(calls)
        let spent = now() - start
        if spent > 20_000_000 || calls > 1 << 32 { break }
        calls *= spent < 1_000_000 ? 8 : 2
    }
    return median(
        (0..<runs).map { _ in
            let start = now()
            body(calls)
            return Double(now() - start) / Double(calls)
        })
}

/// The median time of one call when each of several threads makes calls at once.
func nanoseconds(threads: Int, _ body: @escaping @Sendable (Int) -> Void) -> Double {
    guard threads > 1 else { return nanoseconds(of: body) }
    let calls = max(1, Int(60_000_000 / nanoseconds(runs: 1, of: body)))
    return median(
        (0..<7).map { _ in
            let group = DispatchGroup()
            let start = now()
            for _ in 0..<threads {
                let thread = Thread {
                    body(calls)
                    group.leave()
                }
                group.enter()
                thread.start()
            }
            group.wait()
            return Double(now() - start) / Double(calls)
        })
}

func median(_ values: [Double]) -> Double { percentile(50, of: values) }

func percentile(_ percent: Double, of values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return .nan }
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * percent / 100))]
}

/// Rows of figures, printed as aligned columns.
struct Table {
    private var rows: [[String]]

    init(_ title: String, _ columns: String...) { rows = [[title] + columns] }

    mutating func add(_ cells: String...) { rows.append(cells) }

    func print() {
        let widths = (rows.first ?? []).indices.map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        for (number, row) in rows.enumerated() {
            let line = zip(row, widths).enumerated().map { index, cell in
                let space = String(repeating: " ", count: cell.1 - cell.0.count)
                return index == 0 ? cell.0 + space : space + cell.0
            }.joined(separator: "  ")
            Swift.print(line)
            if number == 0 { Swift.print(String(repeating: "─", count: line.count)) }
        }
        Swift.print("")
    }
}

extension Double {
    /// With as many digits as mean something.
    var short: String { formatted(.number.precision(.significantDigits(1...3)).grouping(.never)) }

    /// `3.1x`
    var ratio: String { short + "x" }
}
