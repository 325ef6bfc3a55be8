import CoreMetrics
import Synchronization

/// The process's figures, for Prometheus to fetch: what swift-metrics reports, and what is looked up when somebody asks.
///
/// Names and labels come from code, never from a document or a request, so their number is small; a limit sees to it that it stays so.
final class MetricsRegistry: MetricsFactory {
    private struct State {
        var families: [String: Family] = [:]
        var count = 0
    }

    struct Family {
        let kind: Kind
        var series: [Labels: any Series] = [:]
    }

    enum Kind: String, Sendable { case counter, gauge, histogram }

    private let state = Mutex(State())
    private let watched = Mutex<[@Sendable () async -> [Gauge]]>([])

    /// More series than this are not kept: a label that is not bounded is a mistake.
    private static let most = 10_000

    init() {}

    /// A figure at the moment of asking.
    struct Gauge: Sendable {
        var name: String
        var labels: [(String, String)]
        var value: Double

        init(_ name: String, _ value: Double) { self.init(name, [], value) }

        init(_ name: String, _ labels: [(String, String)], _ value: Double) {
            self.name = name
            self.labels = labels
            self.value = value
        }
    }

    /// Adds figures that are looked up whenever somebody asks.
    func watch(_ look: @escaping @Sendable () async -> [Gauge]) { watched.withLock { $0.append(look) } }

    // MARK: - swift-metrics

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter) { CountingSeries() } ?? NOOPMetricsHandler.instance
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        let recorder: (any RecorderHandler)? =
            aggregate
            ? series(label, dimensions, .histogram) { HistogramSeries() } : series(label, dimensions, .gauge) { GaugeSeries() }
        return recorder ?? NOOPMetricsHandler.instance
    }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) { GaugeSeries() } ?? NOOPMetricsHandler.instance
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .histogram) { HistogramSeries() } ?? NOOPMetricsHandler.instance
    }

    // Series live as long as the process: a counter that starts again from 0 would be read as a restart.
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyMeter(_ handler: any MeterHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}

    private func series<Made: Series>(_ name: String, _ labels: [(String, String)], _ kind: Kind, _ make: () -> Made) -> Made? {
        let labels = Labels(labels)
        return state.withLock { state in
            if let known = state.families[name]?.series[labels] { return known as? Made }
            guard state.count < Self.most, state.families[name].map({ $0.kind == kind }) ?? true else { return nil }
            let made = make()
            state.families[name, default: Family(kind: kind)].series[labels] = made
            state.count += 1
            return made
        }
    }

    // MARK: - Prometheus

    /// Everything in Prometheus' text format, version 0.0.4.
    func text() async -> String {
        var gauges: [Gauge] = []
        for look in watched.withLock(\.self) { gauges += await look() }
        var families: [(name: String, kind: Kind, lines: [String])] = state.withLock { state in
            state.families.map { name, family in
                (name, family.kind, family.series.sorted { $0.key < $1.key }.flatMap { $1.lines(PrometheusText.name(name), $0) })
            }
        }
        for (name, gauges) in Dictionary(grouping: gauges, by: \.name) {
            let lines = gauges.map { PrometheusText.line($0.name, Labels($0.labels), PrometheusText.number($0.value)) }
            families.append((name, .gauge, lines))
        }
        var text = ""
        for family in families.sorted(by: { $0.name < $1.name }) {
            let name = PrometheusText.name(family.name)
            if let help = MetricNames.help[family.name] { text += "# HELP \(name) \(help)\n" }
            text += "# TYPE \(name) \(family.kind.rawValue)\n" + family.lines.joined(separator: "\n") + "\n"
        }
        return text
    }
}

/// Names and values that tell series of one metric apart.
struct Labels: Hashable, Sendable, Comparable {
    let pairs: [Pair]

    struct Pair: Hashable, Sendable {
        let name: String
        let value: String
    }

    init(_ pairs: [(String, String)]) {
        self.pairs = pairs.map { Pair(name: $0.0, value: $0.1) }.sorted { $0.name < $1.name }
    }

    static func < (left: Labels, right: Labels) -> Bool {
        left.pairs.lexicographicallyPrecedes(right.pairs) { ($0.name, $0.value) < ($1.name, $1.value) }
    }
}
