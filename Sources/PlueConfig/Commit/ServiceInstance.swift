/// What a service runs, with the service's own types closed over: the committer holds instances of all kinds side by side.
///
/// Each instance knows how to prepare its successor, so nothing is ever cast back to the service's type.
struct ServiceInstance<Root: Sendable>: Sendable {
    let prepareNext: @Sendable (Root) async throws -> ServiceInstance
    /// Makes it live; what the service says was live before.
    let activate: @Sendable () async -> ServiceInstance?
    let verify: @Sendable () async throws -> Void
    let retire: @Sendable () async -> Void

    init<Service: LiveService>(
        _ instance: Service.Instance, of service: Service, settings: @escaping @Sendable (Root) -> Service.Settings
    ) {
        prepareNext = { root in
            ServiceInstance(try await service.prepare(settings(root), beside: instance), of: service, settings: settings)
        }
        activate = {
            await service.activate(instance).map { ServiceInstance($0, of: service, settings: settings) }
        }
        verify = { try await service.verify(instance) }
        retire = { await service.retire(instance) }
    }
}
