public import PlueConfig

/// What every `LiveService` must do, as checks that throw: usable from any test framework.
///
/// ```swift
/// let subject = LiveServiceConformance(good: [first, second], impossible: taken) { settings in
///     try await answers(on: settings.port)          // from outside, as a client would
/// }
///
/// @Test(arguments: LiveServiceConformance<PoolSettings>.Check.allCases)
/// func conforms(_ check: LiveServiceConformance<PoolSettings>.Check) async throws {
///     try await subject.run(check, on: Pool())      // a new, idle one for each check
/// }
/// ```
public struct LiveServiceConformance<Settings: Sendable>: Sendable {
    private let first: Settings
    private let second: Settings
    private let impossible: Settings?
    private let isServed: @Sendable (Settings) async throws -> Bool

    /// - Parameters:
    ///   - first: Settings the service can run with on this machine.
    ///   - second: Others, which it can run with while the first are live.
    ///   - impossible: Some it must refuse, such as a port that another program has; `nil` when there are none.
    ///   - isServed: Whether a client, seen from outside, is served as these settings say.
    public init(
        _ first: Settings, _ second: Settings, impossible: Settings?, isServed: @escaping @Sendable (Settings) async throws -> Bool
    ) {
        self.first = first
        self.second = second
        self.impossible = impossible
        self.isServed = isServed
    }

    /// One promise of the protocol.
    public enum Check: String, Sendable, CaseIterable, CustomStringConvertible {
        case startsAndEnds = "what is activated serves and is verified; what is retired does not serve"
        case preparesUnseen = "what is only prepared is seen by nobody, and goes without a trace"
        case replaces = "what is activated takes over, and hands back what was live"
        case goesBack = "going back is the same way again, with the instance that was"
        case refuses = "what cannot be is refused in words, and what is live goes on"
        case repeats = "the same settings can be prepared, activated and retired over and over"
        case retiresWhenCancelled = "a retirement that is cancelled ends soon"

        public var description: String { rawValue }
    }

    /// A promise that is not kept.
    public struct Failure: Error, CustomStringConvertible {
        /// The promise that was not kept.
        public let check: String
        /// What happened in its stead.
        public let found: String
        public var description: String { "not kept: \(check) (\(found))" }
    }

    /// - Parameter service: A new one that nothing was activated on.
    /// - Throws: ``Failure`` when the promise is not kept; whatever the service throws.
    public func run<Service: LiveService>(_ check: Check, on service: Service) async throws where Service.Settings == Settings {
        let stage = Stage(service)
        let result: Result<Void, any Error>
        do { result = .success(try await perform(check, on: stage)) } catch { result = .failure(error) }
        // The service is taken down also when it has failed: the next check may need its address.
        if let live = stage.live { await stage.cut(live) }
        do { try result.get() } catch let broken as Broken { throw Failure(check: check.rawValue, found: broken.found) }
    }

    private func perform<Service: LiveService>(_ check: Check, on stage: Stage<Service>) async throws where Service.Settings == Settings {
        let service = stage.service
        switch check {
        case .startsAndEnds:
            let none = try await stage.go(first)
            try expect(none == nil, "the first activation handed something back")
            try await expectServed(first, true)
            try await stage.end()
            try await expectServed(first, false)

        case .preparesUnseen:
            try await stage.go(first)
            let unused = try await service.prepare(second, beside: stage.live)
            try await expectServed(first, true)
            await service.retire(unused)
            try await expectServed(first, true)
            // Nothing of it is in the way of the next.
            let again = try await service.prepare(second, beside: stage.live)
            await service.retire(again)

        case .replaces:
            try await stage.go(first)
            let old = try await stage.go(second)
            guard let old else { throw Broken(found: "nothing was handed back") }
            try await expectServed(second, true)
            await stage.cut(old)
            try await expectServed(second, true)

        case .goesBack:
            try await stage.go(first)
            let next = try await service.prepare(second, beside: stage.live)
            guard let old = await service.activate(next) else { throw Broken(found: "nothing was handed back") }
            _ = await service.activate(old)
            try await service.verify(old)
            await service.retire(next)
            try await expectServed(first, true)

        case .refuses:
            try await stage.go(first)
            guard let impossible else { return }
            do {
                let instance = try await service.prepare(impossible, beside: stage.live)
                await service.retire(instance)
                throw Broken(found: "it was prepared")
            } catch let refusal as ServiceRefusal {
                try expect(!refusal.description.isEmpty, "no words")
            } catch let broken as Broken {
                throw broken
            } catch {
                throw Broken(found: "\(type(of: error)) instead of ServiceRefusal")
            }
            try await expectServed(first, true)
            guard let live = stage.live else { return }
            try await service.verify(live)

        case .repeats:
            for settings in [first, second, first, first, second, first] {
                if let old = try await stage.go(settings) { await stage.cut(old) }
                try await expectServed(settings, true)
            }

        case .retiresWhenCancelled:
            try await stage.go(first)
            guard let old = try await stage.go(second) else { throw Broken(found: "nothing was handed back") }
            let time = await ContinuousClock().measure { await stage.cut(old) }
            try expect(time < .seconds(5), "after \(time)")
        }
    }

    private struct Broken: Error { let found: String }

    private func expect(_ holds: Bool, _ found: @autoclosure () -> String) throws {
        if !holds { throw Broken(found: found()) }
    }

    private func expectServed(_ settings: Settings, _ expected: Bool) async throws {
        let found = try await isServed(settings)
        try expect(found == expected, "\(settings) \(found ? "is" : "is not") served")
    }
}

/// Drives a service through its phases as the committer does it.
private final class Stage<Service: LiveService> {
    let service: Service
    private(set) var live: Service.Instance?

    init(_ service: Service) { self.service = service }

    /// A whole transaction; returns what was live, not yet retired.
    @discardableResult
    func go(_ settings: Service.Settings) async throws -> Service.Instance? {
        let next = try await service.prepare(settings, beside: live)
        let old = await service.activate(next)
        live = next
        try await service.verify(next)
        return old
    }

    /// As at the end of the process.
    func end() async throws {
        guard let live else { return }
        self.live = nil
        await service.retire(live)
    }

    /// Retires, waiting for nobody.
    func cut(_ instance: Service.Instance) async {
        let service = service
        let retirement = Task { await service.retire(instance) }
        retirement.cancel()
        await retirement.value
    }
}
