import Logging

/// The end of one instance that is not live any more: it drains, within a deadline, and can be told to hurry.
final class Retirement<Root: Sendable>: Sendable {
    let service: String
    let level: Int
    private let instance: ServiceInstance<Root>
    private let deadline: Duration

    private enum Ending: Sendable {
        case drained, overdue, cut
    }

    private let ending = Race<Ending>()

    init(of instance: ServiceInstance<Root>, service: String, level: Int, deadline: Duration) {
        self.instance = instance
        self.service = service
        self.level = level
        self.deadline = deadline
    }

    /// Lets it drain no longer: the task that retires it is cancelled, at once or as soon as it starts.
    func cut() { ending.decide(.cut) }

    /// Drains and closes the instance. Cancelling the caller cuts it.
    func carryOut(on clock: any Clock<Duration>, grace: Duration, logger: Logger) async {
        let closed = Race<Bool>()
        // Unstructured on purpose, as in `withDeadline`: what does not heed its cancellation must be left behind.
        let worker = Task { [instance, ending] in
            await instance.retire()
            ending.decide(.drained)
            closed.decide(true)
        }
        let timer = Task { [deadline, ending] in
            try? await clock.sleep(for: deadline)
            ending.decide(.overdue)
        }
        let ending = await withTaskCancellationHandler {
            await self.ending.result
        } onCancel: {
            cut()
        }
        timer.cancel()
        if ending == .drained { return }
        worker.cancel()
        let patience = Task {
            try? await clock.sleep(for: grace)
            closed.decide(false)
        }
        let isClosed = await closed.result
        patience.cancel()
        let why = ending == .overdue ? "its deadline of \(deadline) passed" : "it was told to hurry"
        if isClosed {
            logger.notice("a replaced instance was closed before it had drained", metadata: ["service": "\(service)", "why": "\(why)"])
        } else {
            logger.error("a replaced instance did not close and was left behind", metadata: ["service": "\(service)", "why": "\(why)"])
        }
    }
}
