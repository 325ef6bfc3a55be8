import Foundation
import Logging
import PlueTesting
import ServiceLifecycle
import Synchronization
import TestGround
import Testing

@testable import PlueConfig

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

@Suite("A service that can only restart", .timeLimit(.minutes(2)))
struct RestartingServiceTests {
    private typealias Conformance = LiveServiceConformance<Greeter.Settings>
    private let logger = quiet

    private func service(
        _ succession: RestartingService<Greeter.Settings>.Succession, start: Duration = .seconds(20), stop: Duration = .seconds(20)
    ) -> RestartingService<Greeter.Settings> {
        RestartingService(succession, startTimeout: start, stopTimeout: stop, logger: logger) { settings in
            if settings.greeting == "unmakeable" { throw ServiceRefusal("there is no such greeting") }
            return Greeter(settings)
        } check: { settings in
            guard try await greeting(of: settings.port) == settings.greeting else {
                throw ServiceRefusal("port \(settings.port) does not greet")
            }
        }
    }

    @Test(
        "two that run side by side keep the promises of a live service", arguments: LiveServiceConformance<Greeter.Settings>.Check.allCases)
    func overlapping(_ check: LiveServiceConformance<Greeter.Settings>.Check) async throws {
        let subject = Conformance(
            try .init("hello", sharesPort: true), try .init("again", sharesPort: true), impossible: try .init("unmakeable")
        ) { settings in
            // Where two listen on one port, the kernel resets what waits in the queue of the one that closes: its client asks again.
            if try await greeting(of: settings.port) == settings.greeting { return true }
            return try await greeting(of: settings.port) == settings.greeting
        }
        try await subject.run(check, on: service(.overlapping))
    }

    @Test(
        "and so do two that cannot, as both want one port", arguments: LiveServiceConformance<Greeter.Settings>.Check.allCases)
    func exclusive(_ check: LiveServiceConformance<Greeter.Settings>.Check) async throws {
        let first = try Greeter.Settings("hello")
        let subject = Conformance(first, first.with("again"), impossible: first.with("unmakeable")) { settings in
            try await greeting(of: settings.port) == settings.greeting
        }
        try await subject.run(check, on: service(.exclusive))
    }

    @Test("side by side, one that does not come up is refused in preparation, and the old one has never stopped")
    func refusedBeside() async throws {
        try await RestartStage.run(service(.overlapping)) { stage in
            let first = try Greeter.Settings("hello")
            #expect(await stage.commit(first).isCommitted)
            let taken = await stage.commit(first.with("again")).refusal
            #expect(taken?.phase == .prepare)
            #expect(taken?.problem == "greeter: the service has ended by itself: it port \(first.port) is taken")
            #expect(try await greeting(of: first.port) == "hello")
        }
    }

    @Test("side by side, what never works is ended when its time is over")
    func neverWorks() async throws {
        try await RestartStage.run(service(.overlapping, start: .seconds(4))) { stage in
            let first = try Greeter.Settings("hello")
            #expect(await stage.commit(first).isCommitted)
            var second = try Greeter.Settings("again")
            second.says = "something else"
            let refusal = await stage.commit(second).refusal
            #expect(refusal?.problem == "greeter: port \(second.port) does not greet")
            #expect(try await greeting(of: second.port) == nil)
            #expect(try await greeting(of: first.port) == "hello")
        }
    }

    @Test("one after the other, the old settings' service is made again when the new one does not come up")
    func madeAgain() async throws {
        try await RestartStage.run(service(.exclusive, start: .seconds(4))) { stage in
            let first = try Greeter.Settings("hello")
            #expect(await stage.commit(first).isCommitted)
            var second = first.with("again")
            second.says = "something else"
            let refusal = await stage.commit(second).refusal
            #expect(refusal?.phase == .verify)
            #expect(refusal?.problem == "greeter: port \(first.port) does not greet")
            #expect(try await greeting(of: first.port) == "hello")
            #expect(await stage.commit(first.with("better")).isCommitted)
            #expect(try await greeting(of: first.port) == "better")
        }
    }

    @Test("one after the other, what is left behind at the transaction's deadline does not overlap with the way back")
    func leftBehind() async throws {
        try await RestartStage.run(service(.exclusive)) { stage in
            let first = try Greeter.Settings("hello")
            #expect(await stage.commit(first).isCommitted)
            var second = first.with("again")
            second.says = "something else"
            let refusal = await stage.commit(second, verify: .seconds(4)).refusal
            #expect(refusal?.problem == "greeter: did not verify within 4s")
            #expect(try await greeting(of: first.port) == "hello")
        }
    }

    @Test("one that takes no notice of a graceful shutdown is cancelled when its time is over")
    func stubborn() async throws {
        try await RestartStage.run(service(.exclusive, stop: .milliseconds(200))) { stage in
            var first = try Greeter.Settings("hello")
            first.isStubborn = true
            #expect(await stage.commit(first).isCommitted)
            #expect(await stage.commit(first.with("again")).isCommitted)
            #expect(try await greeting(of: first.port) == "again")
        }
    }

    @Test("when a live one ends by itself, whoever runs this in a group learns of it", arguments: [true, false])
    func endsByItself(isOverlapping: Bool) async throws {
        let service = service(isOverlapping ? .overlapping : .exclusive)
        var settings = try Greeter.Settings("hello")
        settings.endsWhenAsked = true
        let instance = try await service.prepare(settings, beside: nil)
        _ = await service.activate(instance)
        try await service.verify(instance)
        let group = Task { [logger] in try await ServiceGroup(services: [service], logger: logger).run() }
        _ = try await greeting(of: settings.port, asking: "end")
        await #expect(throws: ServiceRefusal("was asked to end")) { try await group.value }
        await #expect(throws: ServiceRefusal("the service has ended by itself: it was asked to end")) { try await service.verify(instance) }
        await service.retire(instance)
    }

    @Test("a group that shuts down while it is prepared in takes nothing of it along")
    func belongsToNoGroup() async throws {
        let service = service(.overlapping)
        let settings = try Greeter.Settings("hello")
        let prepared = Mutexed<RestartingService<Greeter.Settings>.Instance?>(nil)
        let preparing = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(
                        service: Closure { prepared.value = try await service.prepare(settings, beside: nil) },
                        successTerminationBehavior: .gracefullyShutdownGroup)
                ], logger: logger))
        try await preparing.run()
        let instance = try #require(prepared.value)
        _ = await service.activate(instance)
        try await service.verify(instance)
        await service.retire(instance)
        #expect(try await greeting(of: settings.port) == nil)
    }

    private struct Closure: Service {
        let body: @Sendable () async throws -> Void
        init(_ body: @escaping @Sendable () async throws -> Void) { self.body = body }
        func run() async throws { try await body() }
    }
}

/// A committer over one restarting service.
private struct RestartStage {
    let committer: Committer<Greeter.Settings>

    static func run(_ service: RestartingService<Greeter.Settings>, _ body: (RestartStage) async throws -> Void) async throws {
        var services = ServiceSet<Greeter.Settings>()
        try services.add(ServiceRegistration(service, named: "greeter", sections: ["greeter"]) { $0 })
        let logger = quiet
        let committer = Committer(services: services, recorder: MemoryRecorder(), logger: logger)
        let draining = Task { await committer.run() }
        let result: Result<Void, any Error>
        do { result = .success(try await body(RestartStage(committer: committer))) } catch { result = .failure(error) }
        draining.cancel()
        await draining.value
        await committer.shutDown()
        try result.get()
    }

    func commit(_ settings: Greeter.Settings, verify: Duration = .seconds(60)) async -> CommitOutcome {
        await committer.commit(
            settings, services: [PlannedService(name: "greeter", action: .swap)], intent: nil,
            deadlines: CommitDeadlines(prepare: .seconds(60), verify: verify))
    }
}

extension CommitOutcome {
    fileprivate var isCommitted: Bool { if case .committed = self { true } else { false } }
}
