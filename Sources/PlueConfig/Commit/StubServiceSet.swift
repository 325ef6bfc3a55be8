public struct PlannedService: Sendable { public var name: String; public var action: ServiceAction }
public struct ServiceSet<Root: Sendable>: Sendable { public init() {}
 public func plan(from old: Root?, to new: Root, changed: Set<SettingKey>) -> [PlannedService] { [] } }
