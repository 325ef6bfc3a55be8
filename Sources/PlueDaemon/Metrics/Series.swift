import CoreMetrics
import Synchronization

/// One metric with one set of labels.
protocol Series: AnyObject, Sendable {
    /// As Prometheus reads it.
    func lines(_ name: String, _ labels: Labels) -> [String]
}

/// Counts up.
final class CountingSeries: Series, CounterHandler {
    private let count = Atomic<Int64>(0)

    func increment(by amount: Int64) { count.wrappingAdd(amount, ordering: .relaxed) }

    /// For a test's sake; a counter in production only grows.
    func reset() { count.store(0, ordering: .relaxed) }

    func lines(_ name: String, _ labels: Labels) -> [String] {
        [PrometheusText.line(name, labels, String(count.load(ordering: .relaxed)))]
    }
}

/// Holds the last value.
final class GaugeSeries: Series, RecorderHandler, MeterHandler {
    private let value = Mutex(0.0)

    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { self.value.withLock { $0 = value } }
    func set(_ value: Int64) { record(Double(value)) }
    func set(_ value: Double) { record(value) }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }

    func lines(_ name: String, _ labels: Labels) -> [String] {
        [PrometheusText.line(name, labels, PrometheusText.number(value.withLock(\.self)))]
    }
}

/// Counts values by size; durations in seconds.
final class HistogramSeries: Series, TimerHandler, RecorderHandler {
    /// From what a check of a small file takes to what a service may take.
    private static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

    private struct State {
        var counts = [Int](repeating: 0, count: HistogramSeries.bounds.count)
        var count = 0
        var sum = 0.0
    }

    private let state = Mutex(State())

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        state.withLock { state in
            state.count += 1
            state.sum += value
            if let bucket = Self.bounds.firstIndex(where: { value <= $0 }) { state.counts[bucket] += 1 }
        }
    }

    func lines(_ name: String, _ labels: Labels) -> [String] {
        let state = state.withLock(\.self)
        var below = 0
        var lines = zip(Self.bounds, state.counts).map { bound, count in
            below += count
            return PrometheusText.line(name + "_bucket", labels, String(below), le: PrometheusText.number(bound))
        }
        lines.append(PrometheusText.line(name + "_bucket", labels, String(state.count), le: "+Inf"))
        lines.append(PrometheusText.line(name + "_sum", labels, PrometheusText.number(state.sum)))
        lines.append(PrometheusText.line(name + "_count", labels, String(state.count)))
        return lines
    }
}

/// Prometheus' text format, version 0.0.4.
enum PrometheusText {
    static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    static func line(_ name: String, _ labels: Labels, _ value: String, le: String? = nil) -> String {
        var parts = labels.pairs.map { "\(self.name($0.name))=\"\(escaped($0.value))\"" }
        if let le { parts.append("le=\"\(le)\"") }
        return "\(name)\(parts.isEmpty ? "" : "{\(parts.joined(separator: ","))}") \(value)"
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`, which is narrower than what swift-metrics lets through.
    static func name(_ text: String) -> String {
        let name = String(
            text.unicodeScalars.map {
                $0.isASCII && ($0.properties.isAlphabetic || "0123456789_:".unicodeScalars.contains($0)) ? Character($0) : "_"
            })
        return name.first.map { "0123456789".contains($0) } ?? true ? "_" + name : name
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return Int(exactly: value).map(String.init) ?? String(value)
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
