import Synchronization

/// What a listener serves its connections by. It changes as a whole: no connection sees the half of a change.
struct Terms: Sendable {
    var limits: HTTPServerSettings.Limits
    /// What new connections are answered with in the handshake; `nil` for plain HTTP.
    var identity: TLSIdentity?
}

/// The terms in force, shared by a listener's connections.
final class TermsBox: Sendable {
    private let terms: Mutex<Terms>
    init(_ terms: Terms) { self.terms = Mutex(terms) }
    var value: Terms {
        get { terms.withLock { $0 } }
        set { terms.withLock { $0 = newValue } }
    }
}
