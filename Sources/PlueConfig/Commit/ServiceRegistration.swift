/// A service, its name, what it follows of the settings, and what it depends on.
///
/// ```swift
/// try services.add(ServiceRegistration(pool, for: \.database))
/// try services.add(ServiceRegistration(http, for: \.server, after: ["database"]))
/// ```
public struct ServiceRegistration<Root: Sendable>: Sendable {
    /// How plans, results, logs and metrics call the service.
    public let name: String
    /// The sections, or single settings, whose changes concern the service: `server`, `daemon.nginx`.
    public let sections: [String]
    /// The services that are prepared and activated before this one, and retired after it.
    public let dependencies: [String]

    let action: @Sendable (Root, Root) -> ServiceAction
    let verification: @Sendable (Root) -> String
    /// Prepares an instance beside nothing; every later one is prepared beside the live instance, see ``ServiceInstance``.
    let prepareFirst: @Sendable (Root) async throws -> ServiceInstance<Root>

    /// Registers a service for settings of any kind.
    /// - Parameters:
    ///   - sections: What concerns the service; the empty name stands for everything.
    ///   - dependencies: Services added before this one.
    ///   - settings: The service's part of the whole.
    public init<Service: LiveService>(
        _ service: Service, named name: String, sections: [String], after dependencies: [String] = [],
        settings: @escaping @Sendable (Root) -> Service.Settings
    ) {
        self.name = name
        self.sections = sections
        self.dependencies = dependencies
        action = { service.action(from: settings($0), to: settings($1)) }
        verification = { service.verification(of: settings($0)) }
        prepareFirst = { root in
            ServiceInstance(try await service.prepare(settings(root), beside: nil), of: service, settings: settings)
        }
    }

    func follows(anyOf changed: some Sequence<SettingKey>) -> Bool {
        changed.contains { key in sections.contains { $0.isEmpty || key.isWithin($0) } }
    }
}

extension ServiceRegistration where Root: Settings {
    /// Registers a service for the section, or the single setting, that a key path names in the schema.
    /// - Parameters:
    ///   - name: The section's name when left out.
    ///   - dependencies: Services added before this one.
    /// - Throws: When the schema does not describe the key path.
    public init<Service: LiveService>(
        _ service: Service, named name: String? = nil, for keyPath: any KeyPath<Root, Service.Settings> & Sendable,
        after dependencies: [String] = []
    ) throws(ServiceSetError) {
        guard let section = Root.schema.path(of: keyPath)?.joined(separator: ".") else {
            throw .unknownSection(service: name ?? "\(Service.self)")
        }
        self.init(service, named: name ?? section, sections: [section], after: dependencies) { $0[keyPath: keyPath] }
    }
}
