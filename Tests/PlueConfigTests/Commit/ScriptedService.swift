import PlueConfig
import Synchronization
import TestGround

/// The settings of a test program: one number for each service, which also is what the service's instance shows.
struct Numbers: Sendable {
    var values: [String: Int] = [:]
    subscript(name: String) -> Int { values[name] ?? 0 }

    /// Every service at the same number.
    static func all(_ number: Int, _ names: [String]) -> Numbers {
        Numbers(values: Dictionary(uniqueKeysWithValues: names.map { ($0, number) }))
    }
}

/// A service that does in each phase what the test says, and writes everything down: `prepare a 2`, `activate a 2`.
final class ScriptedService: LiveService {
    enum Phase: String { case prepare, activate, verify, retire }

    enum Act: Sendable {
        case fail(any Error)
        /// Waits for the gate, or its cancellation.
        case wait(Gate)
        /// Waits for the gate and does not heed its cancellation.
        case hang(Gate)
    }

    final class Instance: Sendable {
        let number: Int
        let retired = Mutex(0)
        init(_ number: Int) { self.number = number }
    }

    private struct State {
        var live: Instance?
        var script: [String: Act] = [:]
        var prepared: [Instance] = []
        var wrongRetirements: [Int] = []
        var action = ServiceAction.swap
    }

    let name: String
    let journal: Journal
    private let state = Mutex(State())

    init(_ name: String, _ journal: Journal) {
        self.name = name
        self.journal = journal
    }

    /// What the outside sees.
    var live: Int? { state.withLock { $0.live?.number } }
    /// Instances that were prepared and have not been retired.
    var unretired: [Int] { state.withLock { $0.prepared.filter { $0.retired.withLock { $0 == 0 } }.map(\.number) } }
    /// Instances that were retired twice, or while they were live.
    var wrongRetirements: [Int] { state.withLock(\.wrongRetirements) }

    /// What to do in a phase of the instance with the number.
    func on(_ phase: Phase, _ number: Int, _ act: Act?) { state.withLock { $0.script["\(phase) \(number)"] = act } }
    func forgetScript() { state.withLock { $0.script = [:] } }
    func setAction(_ action: ServiceAction) { state.withLock { $0.action = action } }

    func prepare(_ settings: Int, beside live: Instance?) async throws -> Instance {
        journal.add("prepare \(name) \(settings)")
        try await act(.prepare, settings)
        let instance = Instance(settings)
        state.withLock { $0.prepared.append(instance) }
        journal.add("prepared \(name) \(settings)")
        return instance
    }

    func activate(_ next: Instance) async -> Instance? {
        journal.add("activate \(name) \(next.number)")
        try? await act(.activate, next.number)
        return state.withLock { state in
            defer { state.live = next }
            return state.live
        }
    }

    func verify(_ live: Instance) async throws {
        journal.add("verify \(name) \(live.number)")
        try await act(.verify, live.number)
    }

    func retire(_ instance: Instance) async {
        journal.add("retire \(name) \(instance.number)")
        try? await act(.retire, instance.number)
        let times = instance.retired.withLock {
            $0 += 1; return $0
        }
        if times > 1 { state.withLock { $0.wrongRetirements.append(instance.number) } }
        journal.add("retired \(name) \(instance.number)")
    }

    func action(from old: Int, to new: Int) -> ServiceAction { state.withLock(\.action) }

    private func act(_ phase: Phase, _ number: Int) async throws {
        switch state.withLock({ $0.script["\(phase) \(number)"] }) {
        case nil: break
        case .fail(let error): throw error
        case .wait(let gate): try await gate.passUnlessCancelled()
        case .hang(let gate): await gate.pass()
        }
    }
}
