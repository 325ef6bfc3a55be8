public import PlueConfig

/// A command line that somebody sent who is logged in.
public struct SSHCommand: Sendable {
    /// Who: `ssh:` and the key's comment, or its fingerprint when it has none.
    public let actor: String
    /// What they may do.
    public let role: Role
    /// The line's words, without their quotes. May be none.
    public let words: [String]
    /// The client's address, without its port.
    public let address: String
    /// Whether the other end is a terminal: then there are eyes, and colour is welcome.
    public let isTerminal: Bool
    /// Where the answer goes.
    public let output: SSHOutput

    /// Carries a command out, and returns its exit status.
    ///
    /// Called off the server's thread, once for each command; commands of one client run beside each other when it opens several
    /// sessions. The task is cancelled when the client is gone, interrupts, or the server's drain timeout has passed; what it
    /// writes then throws ``SSHOutput/Closed``.
    public typealias Handler = @Sendable (SSHCommand) async -> UInt8
}
