import TestGround
import Testing

@testable import PlueConfig

/// 10 000 transactions with faults at random places, against a model of three lines: all old, or all new.
@Suite("Random transactions", .timeLimit(.minutes(2)))
struct RandomTransactionTests {
    @Test("after each, every service is all old or all new, and what the outcome says", arguments: 0..<100)
    func allOrNone(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let count = Int.random(in: 1...6, using: &random)
        let names = (0..<count).map { "s\($0)" }
        let stage = try Stage(
            names.enumerated().map { index, name in
                (name, names[..<index].filter { _ in Int.random(in: 0..<3, using: &random) == 0 })
            })
        let draining = Task { await stage.committer.run() }

        var expected: [Int?] = names.map { _ in nil }
        var committed = 0
        for number in 1...100 {
            let concerned = names.indices.filter { _ in expected.contains(nil) || Bool.random(using: &random) }
            let fault = Fault.allCases.randomElement(using: &random) ?? .none
            let culprit = concerned.randomElement(using: &random)
            for service in stage.services { service.forgetScript() }
            if let culprit {
                let service = stage.services[culprit]
                switch fault {
                case .none, .intend, .conclude, .everyConclude, .write: break
                case .prepare: service.on(.prepare, number, .fail(Self.refusal))
                case .verify: service.on(.verify, number, .fail(Self.refusal))
                case .verifyBoth:
                    service.on(.verify, number, .fail(Self.refusal))
                    if let old = expected[culprit] { service.on(.verify, old, .fail(Self.refusal)) }
                }
            }
            stage.recorder.fail(fault.failing)
            let isFaulty = culprit == nil ? fault.isOutside : fault != .none
            let touchesNothing = fault == .prepare || fault == .intend
            let isDegraded = fault == .verifyBoth && culprit.map { expected[$0] != nil } == true

            let values = Numbers(values: Dictionary(uniqueKeysWithValues: names.map { ($0, number) }))
            stage.journal.clear()
            let outcome = await stage.commit(
                values, concerned.map { names[$0] }.shuffled(using: &random), parent: committed == 0 ? nil : committed,
                writingBack: fault == .write ? WriteBack(write: { throw Self.refusal }, restore: {}) : nil)

            if isFaulty {
                #expect(outcome.version == nil, "seed \(seed), transaction \(number), \(fault)")
                #expect((outcome.degradation != nil) == isDegraded, "seed \(seed), transaction \(number), \(fault)")
                #expect((outcome.refusal ?? outcome.degradation)?.services.contains { $0.outcome == .applied } == false)
                if touchesNothing { #expect(stage.journal.entries("activate").isEmpty) }
            } else {
                committed += 1
                #expect(outcome.version == committed, "seed \(seed), transaction \(number), \(fault)")
                for index in concerned { expected[index] = number }
            }
            // A service that ran nothing before keeps showing what was retired: it cannot show nothing.
            let shown = zip(stage.live, expected).map { live, expected in expected == nil ? nil : live }
            #expect(shown == expected, "seed \(seed), transaction \(number), \(fault), concerning \(concerned)")
        }
        draining.cancel()
        await draining.value
        await stage.committer.shutDown()
        #expect(stage.services.flatMap(\.unretired).isEmpty)
        #expect(stage.services.flatMap(\.wrongRetirements).isEmpty)
    }

    private enum Fault: CaseIterable {
        case none, prepare, intend, verify, verifyBoth, write, conclude, everyConclude

        var failing: Set<ScriptedRecorder.Failing> {
            switch self {
            case .intend: [.intend]
            case .conclude: [.conclude]
            case .everyConclude: [.everyConclude]
            default: []
            }
        }
        /// Happens whether a service takes part or not.
        var isOutside: Bool {
            switch self {
            case .intend, .write, .conclude, .everyConclude: true
            default: false
            }
        }
    }

    private static let refusal = ServiceRefusal("at random")
}
