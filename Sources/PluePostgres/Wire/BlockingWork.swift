import Dispatch

/// Runs work that may block, a name lookup or a file on a slow disk, on a thread that may; it is left behind at the deadline.
///
/// The cooperative pool has one thread a core, and a blocked one is a core lost. What is left behind keeps what it holds until
/// it ends.
func offPool<Result: Sendable>(
    until deadline: Instant, on reactor: Reactor, overdue: Result, cancelled: Result, _ work: @escaping @Sendable () -> Result
) async -> Result {
    let ticket = Ticket<Result>()
    blockingWork.async { ticket.decide(work()) }
    return await reactor.answer(of: ticket, until: deadline, overdue: overdue, cancelled: cancelled)
}

private let blockingWork = DispatchQueue(label: "plue.postgres.blocking", attributes: .concurrent)
