import Metrics
import Testing

@testable import PlueDaemon

/// What Prometheus is given.
@Suite struct MetricsRegistryTests {
    @Test func `Counters, gauges and histograms are written as Prometheus reads them`() async {
        let registry = MetricsRegistry()
        let counter = Counter(label: "plue_reloads_total", dimensions: [("trigger", "api"), ("result", "a \"b\"\\\n")], factory: registry)
        counter.increment(by: 2)
        Counter(label: "plue_reloads_total", dimensions: [("result", "a \"b\"\\\n"), ("trigger", "api")], factory: registry).increment()
        Gauge(label: "a.gauge-1", factory: registry).record(1.5)
        let timer = Timer(label: "plue_phase_seconds", dimensions: [("phase", "parse")], factory: registry)
        timer.recordMilliseconds(3)
        timer.recordSeconds(100)
        registry.watch { [.init("plue_version", [("environment", "test")], 7), .init("plue_drift", .nan)] }
        let text = await registry.text()
        #expect(
            text.hasPrefix("# TYPE a_gauge_1 gauge\na_gauge_1 1.5\n# HELP plue_drift 1 while"), "\(text)")
        for line in [
            #"plue_reloads_total{result="a \"b\"\\\n",trigger="api"} 3"#, "plue_drift NaN", #"plue_version{environment="test"} 7"#,
            #"plue_phase_seconds_bucket{phase="parse",le="0.0025"} 0"#, #"plue_phase_seconds_bucket{phase="parse",le="0.005"} 1"#,
            #"plue_phase_seconds_bucket{phase="parse",le="60"} 1"#, #"plue_phase_seconds_bucket{phase="parse",le="+Inf"} 2"#,
            #"plue_phase_seconds_count{phase="parse"} 2"#, #"plue_phase_seconds_sum{phase="parse"} 100.003"#,
        ] { #expect(text.contains("\n\(line)\n"), "\(line) in \(text)") }
    }

    @Test func `A label without bounds fills no memory, and a name of another kind breaks nothing`() async {
        let registry = MetricsRegistry()
        for number in 0..<10_100 { Counter(label: "many", dimensions: [("n", "\(number)")], factory: registry).increment() }
        Gauge(label: "many", factory: registry).record(1)
        #expect(await registry.text().split(separator: "\n").count == 10_001)
    }

    @Test func `Every metric with a help text has a name that Prometheus takes`() {
        for name in MetricNames.help.keys { #expect(PrometheusText.name(name) == name) }
    }
}
