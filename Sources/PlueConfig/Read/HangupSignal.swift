import UnixSignals

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// SIGHUP as a sequence; a storm of them arrives as one.
enum HangupSignal {
    /// Whether SIGHUP was ignored when the process started, as under nohup; then it stays so. Looked at once, since a trap that
    /// has ended leaves the signal ignored too.
    static let isIgnored: Bool = {
        var action = sigaction()
        guard sigaction(SIGHUP, nil, &action) == 0 else { return false }
        #if canImport(Darwin)
        return unsafeBitCast(action.__sigaction_u.__sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
        #else
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
        #endif
    }()

    /// Traps SIGHUP from now on; `nil` when it is to be ignored.
    static func trapped() async -> UnixSignalsSequence? {
        isIgnored ? nil : await UnixSignalsSequence(trapping: .sighup)
    }
}
