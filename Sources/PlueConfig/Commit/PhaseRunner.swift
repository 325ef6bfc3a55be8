import Logging
import Metrics

/// Runs one phase of one service: within its deadline, measured, and with a problem that may be shown.
struct PhaseRunner: Sendable {
    let clock: any Clock<Duration>
    let logger: Logger
    let metrics: any MetricsFactory

    enum Phase: String, Sendable {
        case prepare, activate, verify
    }

    struct Outcome<Value: Sendable>: Sendable {
        let result: Result<Value, Problem>
        let duration: Duration
    }

    struct Problem: Error {
        let sentence: String
    }

    /// Prepares or verifies.
    func run<Value: Sendable>(
        _ phase: Phase, of service: String, within deadline: Duration,
        late: @escaping @Sendable (Value) async -> Void = { _ in }, _ work: @escaping @Sendable () async throws -> Value
    ) async -> Outcome<Value> {
        let elapsed = stopwatch(clock)
        let result: Result<Value, Problem>
        do {
            result = .success(try await withDeadline(deadline, on: clock, late: late, work))
        } catch {
            let sentence = sentence(for: error, phase, deadline)
            logger.debug(
                "a service refused", metadata: ["service": "\(service)", "phase": "\(phase)", "problem": "\(sentence)"])
            result = .failure(Problem(sentence: sentence))
        }
        let duration = elapsed()
        record(duration, phase, service)
        return Outcome(result: result, duration: duration)
    }

    /// Makes an instance live; there is no deadline, for a swap can neither fail nor wait.
    func activate<Root>(
        _ instance: ServiceInstance<Root>, of service: String
    ) async -> (previous: ServiceInstance<Root>?, duration: Duration) {
        let elapsed = stopwatch(clock)
        let previous = await instance.activate()
        let duration = elapsed()
        record(duration, .activate, service)
        return (previous, duration)
    }

    private func sentence(for interruption: Interruption, _ phase: Phase, _ deadline: Duration) -> String {
        switch interruption {
        case .failed(let error): publicSentence(for: error)
        case .overdue: "did not \(phase) within \(deadline.settingText)"
        case .cancelled: "was cancelled"
        }
    }

    private func record(_ duration: Duration, _ phase: Phase, _ service: String) {
        Timer(
            label: "plue_service_phase_seconds", dimensions: [("service", service), ("phase", phase.rawValue)],
            factory: metrics
        ).record(duration: duration)
    }
}
