import ServiceLifecycle
import UnixSignals

/// Ends the daemon in good order at SIGTERM or SIGINT.
///
/// The signals are trapped before anything listens: whoever sees the daemon answer may end it, and from then on that is an orderly end.
struct Termination: Service {
    private let signals: UnixSignalsSequence

    init() async { signals = await UnixSignalsSequence(trapping: .sigterm, .sigint) }

    func run() async throws {
        for await _ in signals.cancelOnGracefulShutdown() { return }
    }
}
