import Metrics
import Tracing

/// The stages of the road as operators see them: a span in a trace and a duration in a metric for each.
///
/// Neither ever carries a value, a name out of a document, or a reason: how long it took, whether it went on, and what kind of thing
/// asked for it is all there is to see.
struct Stages: Sendable {
    var tracer: any Tracer = NoOpTracer()
    var metrics: any MetricsFactory = NOOPMetricsHandler.instance

    enum Stage: String, Sendable {
        case read, edit, parse, layer, resolve, validate, plan, prepare, activate, verify, write, record
    }

    /// Runs a stage that does not wait.
    func run<Result, Failure: Error>(_ stage: Stage, _ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        let running = begin(stage)
        do throws(Failure) {
            let result = try body()
            running.end()
            return result
        } catch {
            running.end(isRefused: true)
            throw error
        }
    }

    /// Begins a stage; whoever begins it ends it.
    func begin(_ stage: Stage) -> RunningStage {
        RunningStage(
            span: tracer.startSpan("plue.\(stage.rawValue)"),
            timer: Timer(label: "plue_phase_seconds", dimensions: [("phase", stage.rawValue)], factory: metrics), started: .now)
    }

    /// Runs a candidate's whole way; the stages on it become parts of its span.
    /// - Parameter name: `reload` or `change`.
    func road(
        _ name: String, _ cause: Cause, in environment: EnvironmentName, _ body: () async -> Result<ReloadOutcome, ChangeRefusal>
    ) async -> Result<ReloadOutcome, ChangeRefusal> {
        await tracer.withSpan("plue.\(name)") { span in
            span.attributes["plue.trigger"] = cause.trigger.rawValue
            span.attributes["plue.environment"] = environment.rawValue
            let result = await body()
            switch result {
            case .success(.unchanged(let version)):
                span.attributes["plue.outcome"] = "unchanged"
                span.attributes["plue.version"] = version
            case .success(.committed(let version, let plan)):
                span.attributes["plue.outcome"] = "committed"
                span.attributes["plue.version"] = version
                span.attributes["plue.changes"] = plan.changes.count
            case .success(.rejected(let attempt)):
                span.attributes["plue.outcome"] = attempt.outcome?.rawValue ?? "rejected"
                span.attributes["plue.phase"] = attempt.phase.rawValue
                span.setStatus(SpanStatus(code: .error))
            case .failure:
                span.attributes["plue.outcome"] = "refused"
                span.setStatus(SpanStatus(code: .error))
            }
            return result
        }
    }
}

/// A stage that is under way.
struct RunningStage {
    let span: any Span
    let timer: Timer
    let started: ContinuousClock.Instant

    /// - Parameter isRefused: Whether the candidate goes no further. Why is not told here: the text may say too much.
    func end(isRefused: Bool = false) {
        if isRefused { span.setStatus(SpanStatus(code: .error)) }
        span.end()
        timer.record(duration: started.duration(to: .now))
    }
}
