public import SystemPackage

/// One typed leaf of a schema: its name in documents, the property it fills, its rules and its description.
///
/// ```swift
/// Setting("port", \.port, .required, .range(1...65535), "TCP port.")
/// ```
///
/// The default is the property's own. An `Optional` property has no value until the setting is set; a ``Secret`` property
/// makes the setting secret without saying so.
public struct Setting<Root: Settings>: Sendable {
    let element: SchemaElement<Root>

    /// Declares a setting.
    public init<Value: SettingValue>(
        _ name: String, _ property: any WritableKeyPath<Root, Value> & Sendable, _ traits: SettingTrait<Value>...
    ) {
        self.init(name, property, traits, get: { $0 }, make: { $0 }, isSecret: false, isOptional: false)
    }

    /// Declares a setting that may be unset.
    public init<Value: SettingValue>(
        _ name: String, _ property: any WritableKeyPath<Root, Value?> & Sendable, _ traits: SettingTrait<Value>...
    ) {
        self.init(name, property, traits, get: { $0 }, make: { $0 }, isSecret: false, isOptional: true)
    }

    /// Declares a secret setting.
    public init<Value: SettingValue>(
        _ name: String, _ property: any WritableKeyPath<Root, Secret<Value>> & Sendable, _ traits: SettingTrait<Value>...
    ) {
        self.init(
            name, property, traits, get: { $0.withExposed(\.self) }, make: { Secret($0) }, isSecret: true, isOptional: false)
    }

    /// Declares a secret setting that may be unset.
    public init<Value: SettingValue>(
        _ name: String, _ property: any WritableKeyPath<Root, Secret<Value>?> & Sendable, _ traits: SettingTrait<Value>...
    ) {
        self.init(
            name, property, traits, get: { $0?.withExposed(\.self) }, make: { Secret($0) }, isSecret: true, isOptional: true)
    }

    /// Declares a setting that names a file whose content counts.
    public init(
        _ name: String, _ property: any WritableKeyPath<Root, WatchedFile> & Sendable, _ traits: SettingTrait<FilePath>...
    ) {
        self.init(
            name, property, traits, get: { $0.path }, make: { WatchedFile($0) }, isSecret: false, isOptional: false, isWatchedFile: true)
    }

    /// Declares a setting that names a file whose content counts, and that may be unset.
    public init(
        _ name: String, _ property: any WritableKeyPath<Root, WatchedFile?> & Sendable, _ traits: SettingTrait<FilePath>...
    ) {
        self.init(
            name, property, traits, get: { $0?.path }, make: { WatchedFile($0) }, isSecret: false, isOptional: true, isWatchedFile: true)
    }

    /// - Parameters:
    ///   - get: The bare value in what the property stores.
    ///   - make: What the property stores for a bare value.
    private init<Stored: Sendable, Value: SettingValue>(
        _ name: String, _ property: any WritableKeyPath<Root, Stored> & Sendable, _ traits: [SettingTrait<Value>],
        get: @escaping @Sendable (Stored) -> Value?, make: @escaping @Sendable (Value) -> Stored,
        isSecret: Bool, isOptional: Bool, isWatchedFile: Bool = false
    ) {
        element = SchemaElement { schema in
            let parts = traits.map(\.part)
            let fallback = get(Root()[keyPath: property])
            let constraints = parts.compactMap { part -> ConstraintModel? in
                guard case .constraint(let constraint) = part else { return nil }
                return constraint.over { stored in (stored as? Stored).flatMap(get) }
            }
            let setting = SettingModel(
                name: name,
                summary: parts.reduce("") { if case .summary(let text) = $1 { text } else { $0 } },
                kind: Value.kind,
                isRequired: parts.contains { if case .required = $0 { true } else { false } },
                isSecret: isSecret || parts.contains { if case .secret = $0 { true } else { false } },
                isOptional: isOptional,
                replacement: parts.reduce(nil) { if case .deprecated(let use) = $1 { use } else { $0 } },
                effect: parts.contains { if case .restart = $0 { true } else { false } } ? .restart : .live,
                defaultValue: fallback?.plainValue,
                constraints: constraints,
                isWatchedFile: isWatchedFile,
                decode: { (text) throws(ConversionProblem) in
                    let value = try Value(setting: text)
                    let stored = make(value)
                    return SettingModel.Decoded(
                        value: stored, plain: value.plainValue, file: isWatchedFile ? stored as? WatchedFile : nil)
                })
            if !setting.isRequired, let fallback, setting.replacement == nil {
                let stored = make(fallback)
                // Path rules look at this machine, so a default that breaks one is no contradiction of the schema.
                for constraint in constraints where constraint.code != "path" && constraint.severity == .error {
                    if !constraint.holds(stored, .detached) {
                        schema.contradict("the default of '\(name)' breaks its own rule: it \(constraint.requirement)")
                    }
                }
            }
            schema.add(setting, at: property)
            schema.assignments.append { root, section, _ in
                guard let value = section.values[name] as? Stored else { return }
                root[keyPath: property] = value
            }
            // The name that replaces a deprecated one reads the property.
            guard setting.replacement == nil else { return }
            schema.readings.append { root, section, values in
                values[SettingKey(section: section.joined(separator: "."), name: name)] = get(root[keyPath: property])?.plainValue
            }
        }
    }
}

extension RuleContext {
    /// The context of a check that concerns no machine: the schema looking at its own defaults.
    static let detached = RuleContext(environment: .development, files: MemoryFiles())
}
