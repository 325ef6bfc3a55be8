/// Where a command's answer goes, at the pace at which the client takes it.
///
/// ```swift
/// try await command.output.write("port = 8080\n")
/// try await command.output.write("there is no setting 'prot'\n", to: .standardError)
/// ```
///
/// On a terminal, line ends become what a terminal needs.
public struct SSHOutput: Sendable {
    /// Which of the two outputs.
    public enum Stream: Hashable, Sendable { case standardOutput, standardError }

    /// Nobody takes what is written: the client is gone, or the command has ended.
    public struct Closed: Error, Hashable, Sendable { public init() {} }

    private let outbox: Outbox

    init(_ outbox: Outbox) { self.outbox = outbox }

    /// Sends a text; waits while more than a little is on its way.
    /// - Throws: ``Closed``; `CancellationError` when the task is cancelled while it waits.
    public func write(_ text: some StringProtocol, to stream: Stream = .standardOutput) async throws {
        try await outbox.write(Array(text.utf8), to: stream)
    }

    /// Sends bytes; waits while more than a little is on its way.
    /// - Throws: ``Closed``; `CancellationError` when the task is cancelled while it waits.
    public func write(_ bytes: some Sequence<UInt8>, to stream: Stream = .standardOutput) async throws {
        try await outbox.write(Array(bytes), to: stream)
    }
}
