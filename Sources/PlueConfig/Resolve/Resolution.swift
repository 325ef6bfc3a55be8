import OrderedCollections
import PlueDocuments
import SystemPackage

/// Every value that some layer sets, matched with its row of the schema and with its substitutions made.
struct Resolution: Sendable {
    var sections: [ResolvedSection] = []
    var problems: [Diagnostic] = []
    /// The documents, so that later stages can point into them.
    var stack: LayerStack
}

/// One section that some layer has and the schema knows.
struct ResolvedSection: Sendable {
    let name: String
    let model: SectionModel
    var settings: [ResolvedSetting] = []
    /// The names that a layer sets, also those whose value did not resolve.
    var names = NameTable()
}

/// One value, as text of its type.
struct ResolvedSetting: Sendable {
    /// The name the schema uses; a deprecated name has been replaced by its successor.
    let name: String
    let model: SettingModel
    let text: SettingText
    /// By its schema, or because it takes a part from something secret.
    let isSecret: Bool
    let value: LayeredValue
}

/// Matches the layers with the schema and makes every substitution, once.
func resolve(_ stack: LayerStack, with schema: SectionModel, in candidate: Candidate) -> Resolution {
    var resolution = Resolution(stack: stack)
    var resolver = Resolver(stack: stack, schema: schema, candidate: candidate)
    resolution.sections.reserveCapacity(stack.sections.count)
    for (name, section) in stack.sections {
        guard let model = schema.section(named: name) else {
            resolution.problems.append(unknownSection(name, section, in: schema))
            continue
        }
        var resolved = ResolvedSection(name: name, model: model)
        resolved.settings.reserveCapacity(section.keys.count)
        resolved.names.reserveCapacity(section.keys.count)
        for (keyName, value) in section.keys {
            guard let row = model.setting(named: keyName) else {
                resolution.problems.append(unknownKey(SettingKey(section: name, name: keyName), value, in: model))
                continue
            }
            var setting = (name: keyName, model: row)
            if let replacement = row.replacement {
                let isOverruled = section.keys[replacement] != nil
                resolution.problems.append(
                    deprecated(SettingKey(section: name, name: keyName), use: replacement, isOverruled: isOverruled, value, schema))
                guard !isOverruled, let successor = model.setting(named: replacement) else { continue }
                setting = (replacement, successor)
            }
            resolved.names.append(setting.name)
            if let text = resolver.text(of: value, for: setting.model, key: SettingKey(section: name, name: setting.name)) {
                if setting.model.isSecret, !setting.model.isWatchedFile, text.isPlain, !text.text.scalar.isEmpty {
                    resolution.problems.append(plainSecret(SettingKey(section: name, name: setting.name), value))
                }
                resolved.settings.append(
                    ResolvedSetting(
                        name: setting.name, model: setting.model, text: text.text,
                        isSecret: setting.model.isSecret || text.isSecret, value: value))
            }
        }
        resolution.sections.append(resolved)
    }
    resolution.problems += resolver.problems
    return resolution
}

private func unknownSection(_ name: String, _ section: LayeredSection, in schema: SectionModel) -> Diagnostic {
    let suggestion = nearest(name, among: schema.sectionNames)
    var place: Location?
    if let header = section.header, case .document(let document, _) = header.layer.content {
        place = document.location(of: header.range, excerpt: document.lineText(at: header.range))
    } else {
        place = section.keys.values.first?.winner.origin.location
    }
    return Diagnostic(
        "unknown-section", key: SettingKey(section: name, name: ""), at: place, "unknown section [\(name)]",
        label: suggestion.map { "did you mean [\($0)]?" }, found: name,
        hint: suggestion == nil ? "the sections are " + list(schema.sections.keys.elements) : nil)
}

private func unknownKey(_ key: SettingKey, _ value: LayeredValue, in section: SectionModel) -> Diagnostic {
    let current = section.settings.values.lazy.filter { $0.replacement == nil }.map(\.name)
    let suggestion = nearest(key.name, among: current)
    var place = value.winner.origin.location
    if case .entry(let layer, let entry) = value.winner.origin, case .document(let document, _) = layer.content {
        // What stands behind a mistyped name may be the secret that was meant for the right one.
        let isShown = suggestion.flatMap { section.setting(named: $0) }.map { !$0.isSecret } ?? false
        place = document.location(
            of: entry.keyRange, excerpt: isShown ? document.lineText(at: entry.keyRange) : document.lineBlanked(after: entry))
    }
    return Diagnostic(
        "unknown-key", key: key, at: place, "unknown key '\(key.name)' in [\(key.section)]",
        label: suggestion.map { "did you mean '\($0)'?" },
        found: key.name,
        hint: suggestion == nil ? "the keys of [\(key.section)] are " + list(Array(current)) : nil)
}

private func deprecated(
    _ key: SettingKey, use replacement: String, isOverruled: Bool, _ value: LayeredValue, _ schema: SectionModel
) -> Diagnostic {
    Diagnostic(
        "deprecated", severity: .warning, key: key, at: value.winner.keyLocation(showing: false),
        isOverruled
            ? "\(key) is deprecated and has no effect beside '\(replacement)'" : "\(key) is deprecated",
        label: "use '\(replacement)' instead")
}

private func plainSecret(_ key: SettingKey, _ value: LayeredValue) -> Diagnostic {
    Diagnostic(
        "plain-secret", severity: .warning, key: key, at: value.winner.valueLocation(isSecret: true),
        "\(key) is secret, and stands in plain text in a document, its backups and its history",
        hint: "encrypt it with 'plue secret encrypt \(key)', or refer to it, as in ${file:/run/secrets/\(key.name)}")
}

private func list(_ names: [String]) -> String {
    names.isEmpty ? "none" : names.prefix(12).joined(separator: ", ") + (names.count > 12 ? ", …" : "")
}

extension Contribution {
    /// Where the key itself stands; variables and flags stand for themselves.
    func keyLocation(showing isShown: Bool) -> Location? {
        guard case .entry(let layer, let entry) = origin, case .document(let document, _) = layer.content else { return origin.location }
        return document.location(
            of: entry.keyRange, excerpt: isShown ? document.lineText(at: entry.keyRange) : document.lineBlanked(after: entry))
    }

    /// Where the value stands; see ``Origin/valueLocation(isSecret:)``.
    func valueLocation(isSecret: Bool) -> Location? { origin.valueLocation(isSecret: isSecret) }

    /// The value as it was written, substitutions and quotes included; `nil` when it is not one line.
    ///
    /// A setting that is secret may have its secret written here: whoever shows this asks the setting first.
    public var written: String? {
        switch (text, origin) {
        case (.literal(let text), _): text
        case (.file(let path), _): path.string
        case (.written(let text), _): text.rawText
        case (.entry, .entry(let layer, let entry)):
            if case .document(let document, _) = layer.content, entry.form != .block { document.rawText(of: entry) } else { nil }
        case (.entry, _): nil
        }
    }
}

extension Origin {
    /// Where the value stands. A secret's place has no extent, which would tell its length, and no text.
    func valueLocation(isSecret: Bool) -> Location? {
        guard case .entry(let layer, let entry) = self, case .document(let document, _) = layer.content else { return location }
        guard isSecret else { return document.location(of: entry.valueRange, excerpt: document.lineText(at: entry.valueRange)) }
        let start = SourceRange(start: entry.valueRange.start, end: entry.valueRange.start)
        return document.location(of: start, excerpt: document.lineBlanked(after: entry))
    }
}

extension Document {
    /// An entry's first line with its value covered.
    func lineBlanked(after entry: Entry) -> String {
        let start = place(of: Int(entry.valueRange.start))
        let line = line(start.line)
        guard place(of: Int(entry.keyRange.start)).line == start.line else { return "\(key(of: entry)) = ••••••" }
        return String(String.UnicodeScalarView(line.unicodeScalars.prefix(max(0, start.column - 1)))) + "••••••"
    }
}
