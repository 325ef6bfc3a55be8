/// A named group of settings inside another.
///
/// ```swift
/// Section("server", \.server)                 // [server]
/// Section("tls", \.tls)                       // TLSSettings?: nil until something in [… .tls] is set
/// Section("daemon", \.daemons)                // [String: DaemonSettings]: [daemon.nginx], [daemon.sshd] …
/// Section("labels", \.labels)                 // [String: String]: any key in [labels]
/// ```
public struct Section<Root: Settings>: Sendable {
    let element: SchemaElement<Root>

    /// A section that is always there.
    public init<Value: Settings>(
        _ name: String, _ property: any WritableKeyPath<Root, Value> & Sendable, _ summary: String = ""
    ) {
        element = SchemaElement { schema in
            schema.add(Value.schema.model.with(summary: summary), named: name, at: property)
            schema.inherit(from: Value.schema, named: name) { (property as AnyKeyPath).appending(path: $0) }
            schema.assignments.append { root, section, build in
                root[keyPath: property] = build.settings(Value.self, from: section.sections[name] ?? DecodedSection(), at: [name])
            }
            schema.readings.append { root, section, values in
                Value.schema.read(root[keyPath: property], at: section + [name], into: &values)
            }
        }
    }

    /// A section that is `nil` until something in it is set.
    public init<Value: Settings>(
        _ name: String, _ property: any WritableKeyPath<Root, Value?> & Sendable, _ summary: String = ""
    ) {
        element = SchemaElement { schema in
            var model = Value.schema.model.with(summary: summary)
            model.isOptional = true
            schema.add(model, named: name, at: property)
            schema.inherit(from: Value.schema, named: name) { _ in nil }
            schema.assignments.append { root, section, build in
                guard let section = section.sections[name], !section.isEmpty else { return }
                root[keyPath: property] = build.settings(Value.self, from: section, at: [name])
            }
            schema.readings.append { root, section, values in
                if let inner = root[keyPath: property] { Value.schema.read(inner, at: section + [name], into: &values) }
            }
        }
    }

    /// Sections with names of the user's choosing: `[name.anything]`.
    public init<Value: Settings>(
        _ name: String, _ property: any WritableKeyPath<Root, [String: Value]> & Sendable, _ summary: String = ""
    ) {
        element = SchemaElement { schema in
            var model = SectionModel(summary: summary)
            model.anySection = Indirect(Value.schema.model)
            schema.add(model, named: name, at: property)
            schema.inherit(from: Value.schema, named: "\(name).NAME") { _ in nil }
            schema.assignments.append { root, section, build in
                guard let named = section.sections[name]?.sections, !named.isEmpty else { return }
                var settings = [String: Value](minimumCapacity: named.count)
                for (element, section) in named {
                    settings[element] = build.settings(Value.self, from: section, at: [name, element])
                }
                root[keyPath: property] = settings
            }
            schema.readings.append { root, section, values in
                for (element, inner) in root[keyPath: property] {
                    Value.schema.read(inner, at: section + [name, element], into: &values)
                }
            }
        }
    }

    /// A section whose keys have names of the user's choosing.
    public init<Value: SettingValue>(
        _ name: String, _ property: any WritableKeyPath<Root, [String: Value]> & Sendable, _ traits: SettingTrait<Value>...
    ) {
        element = SchemaElement { schema in
            var summary = ""
            var constraints: [ConstraintModel] = []
            var isSecret = false
            for trait in traits {
                switch trait.part {
                case .summary(let text): summary = text
                case .constraint(let constraint): constraints.append(constraint.over { $0 as? Value })
                case .secret: isSecret = true
                case .required, .restart, .deprecated:
                    schema.contradict("the keys of '\(name)' cannot be required, deprecated or restart-only")
                }
            }
            var model = SectionModel(summary: summary)
            model.anySetting = SettingModel(
                name: "NAME", summary: summary, kind: Value.kind, isSecret: isSecret, isOptional: true, constraints: constraints
            ) { (text) throws(ConversionProblem) in
                let value = try Value(setting: text)
                return SettingModel.Decoded(value: value, plain: value.plainValue)
            }
            schema.add(model, named: name, at: property)
            schema.assignments.append { root, section, _ in
                guard let values = section.sections[name]?.values, !values.isEmpty else { return }
                root[keyPath: property] = values.dictionary(of: Value.self)
            }
            schema.readings.append { root, section, values in
                let section = (section + [name]).joined(separator: ".")
                for (key, value) in root[keyPath: property] { values[SettingKey(section: section, name: key)] = value.plainValue }
            }
        }
    }
}
