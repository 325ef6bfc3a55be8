/// A change that passed every check and has touched nothing yet, for whoever has a say in whether it may go on.
public struct ProposedChange: Sendable {
    /// Who asked for it, through what, and why.
    public let cause: Cause
    /// What it would do.
    public let plan: Plan
    /// The documents that it would write.
    public let writes: [DocumentChange]
    /// Of the documents as they would be.
    public let digest: String
    /// The version beside which it was planned; 0 for none.
    public let version: Int

    /// Says no by throwing; whatever has been prepared by then is nothing.
    public typealias Review = @Sendable (ProposedChange) throws(ChangeRefusal) -> Void

    init<Root: Settings>(_ planned: Planned<Root>, writing writes: [DocumentChange] = [], cause: Cause, beside version: Int) {
        self.cause = cause
        plan = planned.plan
        self.writes = writes
        digest = planned.snapshot.digest
        self.version = version
    }
}
