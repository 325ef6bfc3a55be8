/// The services that take part in one change, and how far each has come.
///
/// A value without a lock: the committer has one at a time, and moves it through the phases in order. Deciding what to do
/// after which result is the committer's.
struct Transaction<Root: Sendable>: Sendable {
    /// One service's part.
    struct Part: Sendable {
        let registration: ServiceRegistration<Root>
        let level: Int
        let action: ServiceAction
        /// What runs before the transaction, and again when it is reverted; `nil` when nothing did.
        var previous: ServiceInstance<Root>?
        var next: ServiceInstance<Root>?
        var outcome = ServiceResult.Outcome.discarded
        var problem: String?
        var duration = Duration.zero
        /// What ran before was swapped back and does not work.
        var isDegraded = false

        var name: String { registration.name }
        var result: ServiceResult {
            ServiceResult(name: name, action: action, outcome: outcome, problem: problem, duration: duration)
        }
    }

    /// In the order in which they are prepared and activated.
    private(set) var parts: [Part]
    private let deadlines: CommitDeadlines
    private let phases: PhaseRunner

    init(_ parts: [Part], deadlines: CommitDeadlines, phases: PhaseRunner) {
        self.parts = parts.sorted { $0.level < $1.level }
        self.deadlines = deadlines
        self.phases = phases
    }

    var results: [ServiceResult] { parts.map(\.result) }

    // MARK: - Phases

    /// Prepares all, level by level, those of a level together.
    ///
    /// A refusal stops it after the level, so that all of that level say what is wrong with them.
    /// - Parameter late: Takes what a service prepares after its deadline.
    /// - Returns: What is wrong, a sentence for each service that refused; empty when all are prepared.
    mutating func prepare(
        _ root: Root, late: @escaping @Sendable (Part, ServiceInstance<Root>) async -> Void
    ) async -> [String] {
        for level in Set(parts.map(\.level)).sorted() {
            let indices = parts.indices.filter { parts[$0].level == level }
            let outcomes = await inParallel(indices) { [phases, deadlines] part in
                await phases.run(.prepare, of: part.name, within: deadlines.prepare, late: { await late(part, $0) }) {
                    if let previous = part.previous { return try await previous.prepareNext(root) }
                    return try await part.registration.prepareFirst(root)
                }
            }
            var problems: [String] = []
            for (index, outcome) in outcomes { parts[index].next = settle(index, outcome, &problems) }
            guard problems.isEmpty else { return problems }
        }
        return []
    }

    /// Makes all live, one after the other: a service is never live before those it depends on.
    mutating func activate() async {
        for index in parts.indices {
            guard let next = parts[index].next else { continue }
            let (returned, duration) = await phases.activate(next, of: parts[index].name)
            parts[index].duration += duration
            // The service's own word counts: it may have replaced its instance by itself. Not where nothing ran: what it
            // returns then was retired after a first start that was undone.
            parts[index].previous = parts[index].previous.map { returned ?? $0 }
            parts[index].outcome = .applied
        }
    }

    /// Looks at all from outside, together.
    /// - Returns: What is wrong, a sentence for each service that does not work.
    mutating func verify() async -> [String] {
        await verify({ $0.next }, ifFailing: "") { _ in }
    }

    /// Makes live again what was live before, the last activated first. What never ran before stays where it is until it is
    /// retired: there is nothing to put in its place.
    mutating func revert() async {
        for index in parts.indices.reversed() {
            if let previous = parts[index].previous { _ = await phases.activate(previous, of: parts[index].name) }
            if parts[index].outcome != .failed { parts[index].outcome = .reverted }
        }
    }

    /// Looks at what was swapped back.
    /// - Returns: What is wrong, a sentence for each service that does not work as before.
    mutating func verifyPrevious() async -> [String] {
        await verify({ $0.previous }, ifFailing: "what ran before was swapped back and does not work either: ") { $0.isDegraded = true }
    }

    // MARK: - The losers, for the drain

    /// Everything that was prepared, after a transaction that did not commit.
    var prepared: [Retirement<Root>] { retirements { $0.next } }

    /// Everything that was replaced, after one that did.
    var replaced: [Retirement<Root>] { retirements { $0.previous } }

    private func retirements(_ instance: (Part) -> ServiceInstance<Root>?) -> [Retirement<Root>] {
        parts.compactMap { part in
            instance(part).map { Retirement(of: $0, service: part.name, level: part.level, deadline: deadlines.retire) }
        }
    }

    // MARK: -

    private mutating func verify(
        _ instance: @escaping @Sendable (Part) -> ServiceInstance<Root>?, ifFailing preamble: String,
        mark: (inout Part) -> Void
    ) async -> [String] {
        let outcomes = await inParallel(parts.indices.filter { instance(parts[$0]) != nil }) { [phases, deadlines] part in
            await phases.run(.verify, of: part.name, within: deadlines.verify) { try await instance(part)?.verify() }
        }
        var problems: [String] = []
        for (index, outcome) in outcomes where settle(index, outcome, preamble: preamble, &problems) == nil {
            mark(&parts[index])
        }
        return problems
    }

    /// Takes the outcome of a phase down.
    private mutating func settle<Value>(
        _ index: Int, _ outcome: PhaseRunner.Outcome<Value>, preamble: String = "", _ problems: inout [String]
    ) -> Value? {
        parts[index].duration += outcome.duration
        switch outcome.result {
        case .success(let value):
            return value
        case .failure(let problem):
            let sentence = preamble + problem.sentence
            problems.append("\(parts[index].name): \(sentence)")
            parts[index].outcome = .failed
            parts[index].problem = parts[index].problem.map { "\($0); \(sentence)" } ?? sentence
            return nil
        }
    }

    private func inParallel<Value: Sendable>(
        _ indices: [Int], _ work: @escaping @Sendable (Part) async -> Value
    ) async -> [(Int, Value)] {
        await withTaskGroup(of: (Int, Value).self) { group in
            for index in indices {
                let part = parts[index]
                group.addTask { (index, await work(part)) }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }
        }
    }
}
