import OrderedCollections

/// The services of a process, what each follows of the settings, and what each depends on.
///
/// A service is added after those it depends on, so the order of addition is always an order to prepare in, and a
/// cycle cannot be written down.
public struct ServiceSet<Root: Sendable>: Sendable {
    /// A service and how many services deep its dependencies go; those of one level do not depend on each other.
    struct Member: Sendable {
        let registration: ServiceRegistration<Root>
        let level: Int
    }

    private(set) var members: OrderedDictionary<String, Member> = [:]

    public init() {}

    /// The names, dependencies before those that depend on them.
    public var names: [String] { Array(members.keys) }

    /// Adds a service; from then on it takes part in every transaction that changes what it follows.
    /// - Throws: When the name is taken, or a dependency has not been added before.
    public mutating func add(_ registration: ServiceRegistration<Root>) throws(ServiceSetError) {
        let name = registration.name
        guard members[name] == nil else { throw .duplicateName(name) }
        var level = 0
        for dependency in registration.dependencies {
            guard let member = members[dependency] else {
                throw .unknownDependency(
                    dependency, of: name, suggestion: dependency == name ? nil : nearest(dependency, among: members.keys))
            }
            level = max(level, member.level + 1)
        }
        members[name] = Member(registration: registration, level: level)
    }

    /// What going from the old to the new settings means for each service; those it does not touch are left out.
    /// - Parameters:
    ///   - old: What runs; `nil` at the first start, which concerns every service.
    ///   - changed: The settings whose values differ. Only services that follow one of them are asked.
    /// - Returns: The services in the order in which they are prepared.
    public func plan(from old: Root?, to new: Root, changed: some Sequence<SettingKey>) -> [PlannedService] {
        inOrder.compactMap { name, member in
            let verification = member.registration.verification(new)
            guard let old else { return PlannedService(name: name, action: .swap, verification: verification) }
            guard member.registration.follows(anyOf: changed) else { return nil }
            let action = member.registration.action(old, new)
            return action == .none ? nil : PlannedService(name: name, action: action, verification: verification)
        }
    }

    /// By level, and in one level as they were added.
    private var inOrder: [(key: String, value: Member)] {
        members.enumerated()
            .sorted { ($0.element.value.level, $0.offset) < ($1.element.value.level, $1.offset) }
            .map { ($0.element.key, $0.element.value) }
    }
}

/// What a plan does to a service.
public struct PlannedService: Hashable, Sendable {
    /// The service's name in status and plans.
    public var name: String
    /// What the change means for it.
    public var action: ServiceAction
    /// What its verification will look at.
    public var verification: String

    public init(name: String, action: ServiceAction, verification: String = "") {
        self.name = name
        self.action = action
        self.verification = verification
    }

    /// Whether the committer calls the service: one that waits for the next start is only told of.
    public var takesPart: Bool {
        switch action {
        case .live, .swap: true
        case .none, .restart: false
        }
    }
}

/// Why a service cannot be added.
public enum ServiceSetError: Error, Hashable, Sendable, CustomStringConvertible {
    case duplicateName(String)
    /// Names the service itself, one that is added later, or one that does not exist.
    case unknownDependency(String, of: String, suggestion: String?)
    /// A key path that the schema does not describe.
    case unknownSection(service: String)

    public var description: String {
        switch self {
        case .duplicateName(let name):
            return "there is already a service named '\(name)'"
        case .unknownDependency(let dependency, of: let name, suggestion: _) where dependency == name:
            return "service '\(name)' depends on itself: \(name) → \(name)"
        case .unknownDependency(let dependency, of: let name, let suggestion):
            let hint = suggestion.map { "did you mean '\($0)'?" } ?? "add '\(dependency)' before '\(name)'"
            return "service '\(name)' depends on '\(dependency)', which has not been added (\(name) → \(dependency)); \(hint)"
        case .unknownSection(let service):
            return "service '\(service)' follows a key path that the schema does not describe"
        }
    }
}
