import PlueConfig

/// Something at the door that is no change: kept in the audit log, and nowhere else.
public struct AccessEvent: Hashable, Sendable {
    /// What happened at the door.
    public enum Kind: String, Hashable, Sendable {
        /// Somebody opened a session.
        case signIn = "sign-in"
        /// Somebody who is known asked for what they may not.
        case denial
        /// Somebody showed a token, a code or a certificate that opens nothing.
        case failedLogin = "failed-login"
    }

    public var kind: Kind
    /// As far as it is known.
    public var actor: String
    /// Where they came from; empty on the socket.
    public var address: String
    /// What was asked for: a call's method and form, never its text.
    public var call: String
    /// How often it came to this since the entry before; those that are too many to be told apart share one.
    public var times: Int

    public init(_ kind: Kind, actor: String, address: String, call: String, times: Int = 1) {
        self.kind = kind
        self.actor = actor
        self.address = address
        self.call = call
        self.times = times
    }
}

extension Ledger {
    /// Keeps what happened at the door.
    ///
    /// Not signed at once: whoever stands at the door could have a signature made by each knock.
    /// - Throws: ``LedgerError``.
    public func note(_ events: [AccessEvent]) async throws {
        guard !events.isEmpty else { return }
        try await write { transaction in
            for event in events {
                try transaction.audit?.append(event.kind.rawValue, in: transaction.db) { entry in
                    entry.add("actor", event.actor)
                    entry.add("address", event.address.isEmpty ? nil : event.address)
                    entry.add("call", event.call.isEmpty ? nil : event.call)
                    entry.add("times", event.times == 1 ? nil : event.times)
                }
            }
        }
    }
}
