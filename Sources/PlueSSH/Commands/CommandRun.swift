/// One run of a command: its task, how the loop interrupts it, and how the loop hears of its end.
final class CommandRun: Sendable {
    private let handler: SSHCommand.Handler
    private let command: SSHCommand
    let outbox: Outbox
    private let interrupted: AsyncStream<Never>
    private let interruption: AsyncStream<Never>.Continuation
    private let onEnd: @Sendable (UInt8) -> Void

    /// What a shell says of a command that was interrupted: 128 and SIGINT.
    static let interruptedStatus: UInt8 = 130

    /// - Parameter onEnd: Called with the exit status when the handler has returned and nothing more is written.
    init(_ command: SSHCommand, outbox: Outbox, handler: @escaping SSHCommand.Handler, onEnd: @escaping @Sendable (UInt8) -> Void) {
        self.command = command
        self.outbox = outbox
        self.handler = handler
        self.onEnd = onEnd
        (interrupted, interruption) = AsyncStream.makeStream()
    }

    /// Cancels the command's task, once it runs or now.
    func interrupt() { interruption.finish() }

    /// Nobody is there any more: cancels the task, and what it still writes fails.
    func abandon() {
        interrupt()
        outbox.close()
    }

    /// Runs the command to its end, which it may delay: what does not heed its cancellation is waited for.
    fileprivate func run() async {
        let status = await withTaskGroup(of: UInt8?.self) { [handler, command, interrupted] group in
            group.addTask { await handler(command) }
            group.addTask {
                for await _ in interrupted {}
                return nil
            }
            let first = await group.next().flatMap(\.self)
            group.cancelAll()
            if let first { return first }
            _ = await group.next()
            return Self.interruptedStatus
        }
        outbox.close()
        onEnd(status)
    }
}

/// Runs commands beside each other, as children of one task, off the loop's thread.
///
/// The task is unstructured, because who starts commands is a thread; it ends when ``finish()`` was called and the last command has
/// returned.
final class CommandRuns: Sendable {
    private let runs: AsyncStream<CommandRun>.Continuation

    init() {
        // Unbounded here, and bounded by who adds: one for each open session.
        let (stream, runs) = AsyncStream<CommandRun>.makeStream()
        self.runs = runs
        Task {
            await withDiscardingTaskGroup { group in
                for await run in stream { group.addTask { await run.run() } }
            }
        }
    }

    func start(_ run: CommandRun) { runs.yield(run) }

    /// Starts nothing more.
    func finish() { runs.finish() }
}
