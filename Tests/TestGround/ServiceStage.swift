package import PlueConfig
import Synchronization

/// A live service, driven through its phases as the committer does it.
package protocol ServiceStage: Sendable {
    associatedtype Service: LiveService

    var service: Service { get }
    var live: Live<Service.Instance> { get }
    /// Called at the end, before what is live is retired: whoever is held is let go.
    func release()
}

/// The instance that is live; the stage's own.
package final class Live<Instance: Sendable>: Sendable {
    fileprivate let instance = Mutex<Instance?>(nil)
    package init() {}
}

extension ServiceStage {
    package func release() {}

    package var instance: Service.Instance? { live.instance.withLock { $0 } }

    package func prepare(_ settings: Service.Settings) async throws -> Service.Instance {
        try await service.prepare(settings, beside: instance)
    }

    /// What was live, not yet retired.
    @discardableResult
    package func activate(_ next: Service.Instance) async -> Service.Instance? {
        live.instance.withLock { $0 = next }
        return await service.activate(next)
    }

    /// A whole transaction but the retirement of what was live, which is returned.
    @discardableResult
    package func change(to settings: Service.Settings) async throws -> Service.Instance? {
        let next = try await prepare(settings)
        let old = await activate(next)
        try await service.verify(next)
        return old
    }

    /// A whole transaction, to its end.
    package func commit(_ settings: Service.Settings) async throws {
        if let old = try await change(to: settings) { await service.retire(old) }
    }

    /// As at the end of a process that was told twice: nobody is waited for.
    package func retireAtOnce(_ instance: Service.Instance) async {
        let service = service
        let retirement = Task { await service.retire(instance) }
        retirement.cancel()
        await retirement.value
    }

    /// Starts the service, and takes it down again however the body ends.
    package func run<Value>(_ settings: Service.Settings, _ body: (Self) async throws -> Value) async throws -> Value {
        let result: Result<Value, any Error>
        do {
            try await change(to: settings)
            result = .success(try await body(self))
        } catch {
            result = .failure(error)
        }
        release()
        if let instance { await retireAtOnce(instance) }
        return try result.get()
    }
}
