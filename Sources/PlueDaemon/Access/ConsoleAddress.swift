import Synchronization

/// Where a browser on this machine finds the console; known once the server listens.
public final class ConsoleAddress: Sendable {
    private let find = Mutex<(@Sendable () -> String?)?>(nil)

    public init() {}

    /// `https://127.0.0.1:8443/`; `nil` while nothing is served.
    var url: String? { find.withLock { $0 }?() }

    /// Says how it is found: it may move.
    func follow(_ find: @escaping @Sendable () -> String?) { self.find.withLock { $0 = find } }
}
