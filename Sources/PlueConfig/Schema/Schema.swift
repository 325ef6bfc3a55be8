import OrderedCollections

/// What may be in a configuration: its sections, settings and rules, over key paths of a plain struct.
///
/// A schema is a value and the single source: types, rules, defaults, documentation, JSON Schema, the sample file and the
/// console's form are derived from it. See ``Settings`` for an example.
public struct Schema<Root: Settings>: Sendable {
    /// The same schema with the Swift types erased; what documentation and every later stage works with.
    public let model: SectionModel
    /// What is wrong with the schema itself, each as a sentence that names the setting; empty in a schema that can be used.
    ///
    /// ``ConfigManager`` refuses to start with a schema that has any; `expectConsistent(_:)` in PlueTesting finds them in a test.
    public let contradictions: [String]
    /// The names that key paths into `Root` have in documents.
    let names: [PropertyName: SettingPath]
    let assignments: [Assignment]
    private let readings: [Reading]
    let rules: [TypedRule]

    /// Copies a section's decoded values into the struct.
    typealias Assignment = @Sendable (inout Root, DecodedSection, inout SettingsBuild) -> Void

    /// Reads values out of the struct, by their names inside its section.
    typealias Reading = @Sendable (Root, _ section: SettingPath, inout [SettingKey: PlainValue]) -> Void

    /// A rule over the struct, with the places it blames.
    struct TypedRule: Sendable {
        let model: RuleModel
        let broken: @Sendable (Root, RuleContext) -> Rule<Root>.Breach?
    }

    /// Declares a schema.
    public init(@SchemaBuilder<Root> _ declarations: () -> [SchemaElement<Root>]) {
        var declared = SchemaDeclaration<Root>()
        for element in declarations() { element.declare(&declared) }
        declared.resolveRules()
        model = declared.model
        names = declared.names
        assignments = declared.assignments
        readings = declared.readings
        rules = declared.typedRules
        contradictions = declared.contradictions
    }

    /// Every value that the struct holds, bare; one that is unset has none. What calls this must not print it.
    func values(of root: Root) -> [SettingKey: PlainValue] {
        var values: [SettingKey: PlainValue] = [:]
        read(root, at: [], into: &values)
        return values
    }

    func read(_ root: Root, at section: SettingPath, into values: inout [SettingKey: PlainValue]) {
        for reading in readings { reading(root, section, &values) }
    }

    /// The name that a key path has in documents: `\AppSettings.server` is `server`.
    func path(of keyPath: AnyKeyPath) -> SettingPath? { names[PropertyName(keyPath)] }
}

/// The building of a settings struct, and of the structs inside it, from decoded values; rules run where their struct is complete.
struct SettingsBuild {
    let context: RuleContext
    /// Every rule that does not hold, with the full names of the settings it blames.
    private(set) var broken: [(rule: RuleModel, reason: String?, blames: [SettingPath])] = []
    private var path: SettingPath = []

    init(context: RuleContext) { self.context = context }

    /// The struct holding what was decoded, defaults elsewhere.
    /// - Parameter components: Where the section is inside the one being built.
    mutating func settings<Value: Settings>(_: Value.Type, from section: DecodedSection, at components: SettingPath = []) -> Value {
        path += components
        defer { path.removeLast(components.count) }
        let schema = Value.schema
        var settings = Value()
        for assign in schema.assignments { assign(&settings, section, &self) }
        for rule in schema.rules {
            guard let breach = rule.broken(settings, context) else { continue }
            broken.append((rule.model, breach.reason, rule.model.blames.map { path + $0 }))
        }
        return settings
    }
}

/// The components of a setting's or section's name, outermost first.
typealias SettingPath = [String]

/// A section's decoded values: the Swift values as the struct stores them, by name.
struct DecodedSection: Sendable {
    var values = DecodedValues()
    var sections: [String: DecodedSection] = [:]

    /// Whether any layer set something in it.
    var isEmpty: Bool { values.isEmpty && sections.allSatisfy(\.value.isEmpty) }

    /// Puts a section's values in the place its dotted name says.
    mutating func insert(_ values: DecodedValues, at name: String) {
        insert(values, at: name.split(separator: ".")[...])
    }

    private mutating func insert(_ values: DecodedValues, at path: ArraySlice<Substring>) {
        guard let first = path.first else {
            self.values = values
            return
        }
        sections[String(first), default: DecodedSection()].insert(values, at: path.dropFirst())
    }
}

/// One section's values as the struct stores them.
struct DecodedValues: Sendable {
    private var names = NameTable()
    private var values: [any Sendable] = []

    var isEmpty: Bool { values.isEmpty }

    mutating func reserveCapacity(_ count: Int) {
        names.reserveCapacity(count)
        values.reserveCapacity(count)
    }

    mutating func append(_ value: any Sendable, named name: String) {
        names.append(name)
        values.append(value)
    }

    subscript(name: String) -> (any Sendable)? { names.position(of: name).map { values[$0] } }

    /// Those of a type, by name: the keys of a section whose names are the user's.
    func dictionary<Value>(of _: Value.Type) -> [String: Value] {
        Dictionary(
            zip(names.names, values).lazy.compactMap { name, value in (value as? Value).map { (name, $0) } }, uniquingKeysWith: { $1 })
    }
}

/// A property of a settings struct, as the key of a dictionary.
///
/// Unchecked, and sound: key paths are immutable, and every one here comes from a `Sendable` key path of a declaration
/// (``Setting`` and ``Section`` take no other) or from appending two of those.
struct PropertyName: Hashable, @unchecked Sendable {
    let keyPath: AnyKeyPath
    init(_ keyPath: AnyKeyPath) { self.keyPath = keyPath }
}

/// One declaration inside a schema: a ``Setting``, a ``Section`` or a ``Rule``.
public struct SchemaElement<Root: Settings>: Sendable {
    let declare: @Sendable (inout SchemaDeclaration<Root>) -> Void
}

/// Collects the declarations of a `Schema { … }`.
@resultBuilder
public enum SchemaBuilder<Root: Settings> {
    public static func buildExpression(_ setting: Setting<Root>) -> [SchemaElement<Root>] { [setting.element] }
    public static func buildExpression(_ section: Section<Root>) -> [SchemaElement<Root>] { [section.element] }
    public static func buildExpression(_ rule: Rule<Root>) -> [SchemaElement<Root>] { [rule.element] }
    public static func buildBlock(_ parts: [SchemaElement<Root>]...) -> [SchemaElement<Root>] { parts.flatMap(\.self) }
    public static func buildOptional(_ part: [SchemaElement<Root>]?) -> [SchemaElement<Root>] { part ?? [] }
    public static func buildEither(first: [SchemaElement<Root>]) -> [SchemaElement<Root>] { first }
    public static func buildEither(second: [SchemaElement<Root>]) -> [SchemaElement<Root>] { second }
    public static func buildArray(_ parts: [[SchemaElement<Root>]]) -> [SchemaElement<Root>] { parts.flatMap(\.self) }
}

/// A schema while its declarations are added one after another.
struct SchemaDeclaration<Root: Settings> {
    var model = SectionModel()
    var names: [PropertyName: SettingPath] = [:]
    var assignments: [Schema<Root>.Assignment] = []
    var readings: [Schema<Root>.Reading] = []
    var typedRules: [Schema<Root>.TypedRule] = []
    var contradictions: [String] = []
    /// Rules wait for the end: they may blame settings declared after them.
    private var rules: [Rule<Root>] = []

    mutating func add(_ setting: SettingModel, at keyPath: AnyKeyPath) {
        if model.settings[setting.name] != nil { contradict("two settings are named '\(setting.name)'") }
        if !isName(setting.name) { contradict("'\(setting.name)' is not a name a document can have") }
        if setting.isRequired, setting.isOptional { contradict("'\(setting.name)' is optional and required at once") }
        // The name of a deprecated setting is only still read; the key path's name is the one that replaces it.
        if setting.replacement == nil {
            if let other = names[PropertyName(keyPath)] { contradict("'\(setting.name)' and '\(other.joined())' set the same property") }
            names[PropertyName(keyPath)] = [setting.name]
        }
        model.add(setting)
    }

    mutating func add(_ section: SectionModel, named name: String, at keyPath: AnyKeyPath) {
        if model.sections[name] != nil { contradict("two sections are named '\(name)'") }
        if !name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy({ isName(String($0)) }) || name.contains(".") {
            contradict("'\(name)' is not a name a section can have")
        }
        names[PropertyName(keyPath)] = [name]
        model.add(section, named: name)
    }

    mutating func add(_ rule: Rule<Root>) { rules.append(rule) }

    /// Takes over what a subsection's schema knows: the names below it, and what is wrong with it.
    mutating func inherit<Value>(from schema: Schema<Value>, named name: String, through keyPath: (AnyKeyPath) -> AnyKeyPath?) {
        for (inner, path) in schema.names {
            if let outer = keyPath(inner.keyPath) { names[PropertyName(outer)] = [name] + path }
        }
        contradictions += schema.contradictions.map { "in [\(name)]: \($0)" }
    }

    mutating func contradict(_ sentence: String) { contradictions.append(sentence) }

    mutating func resolveRules() {
        for rule in rules {
            let blamed = rule.blames.map { names[PropertyName($0)] }
            if blamed.contains(where: { $0 == nil }) {
                contradict("rule '\(rule.name)' blames a property that no setting is declared for")
            }
            let row = RuleModel(name: rule.name, blames: blamed.compactMap(\.self), severity: rule.severity, check: nil)
            model.rules.append(row)
            typedRules.append(.init(model: row, broken: rule.broken))
        }
        for setting in model.settings.values {
            if let replacement = setting.replacement, model.settings[replacement] == nil {
                contradict("'\(setting.name)' is replaced by '\(replacement)', which does not exist")
            }
        }
    }

    private func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, first == UInt8(ascii: "_") || isLetter(first) else { return false }
        return name.utf8.allSatisfy {
            isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
        }
    }

    private func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
