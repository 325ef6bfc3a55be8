public import OrderedCollections
public import PlueDocuments
import SystemPackage

/// Every layer's values, merged: per key the winner and what it overrides.
///
/// Lowest to highest: `base.ini`, the profiles that are extended, the environment's own document, its drop-ins,
/// `PLUE__…` variables, `--set`. The schema's defaults lie below all of them and join in `resolve`.
public struct LayerStack: Sendable {
    /// The sections that some layer has, in the order they first appear.
    public internal(set) var sections: OrderedDictionary<String, LayeredSection> = [:]
    /// The documents among the layers, lowest first.
    public internal(set) var documents: [Document] = []
}

/// One section's keys over all layers.
public struct LayeredSection: Sendable {
    /// The first header that opens it; `nil` when only variables or flags do.
    var header: (layer: Layer, range: SourceRange)?
    /// The keys of the section with what each layer says, by name.
    public internal(set) var keys: OrderedDictionary<String, LayeredValue> = [:]
}

/// One key over all layers.
public struct LayeredValue: Sendable {
    /// The layer that wins.
    public internal(set) var winner: Contribution
    /// The others, lowest first.
    public internal(set) var overridden: [Contribution] = []

    mutating func override(with contribution: Contribution) {
        overridden.append(winner)
        winner = contribution
    }
}

/// One layer's value for one key, as written.
public struct Contribution: Sendable {
    /// Where the layer has it.
    public let origin: Origin
    let text: Text

    enum Text: Sendable {
        /// In the document that the origin names.
        case entry
        /// As if written after `=`.
        case written(ValueText)
        /// Not interpreted at all.
        case literal(String)
        /// What the file holds, not interpreted at all.
        case file(FilePath)
    }
}

/// Merges a candidate's parsed documents with its variables and overrides.
/// - Parameters:
///   - documents: Lowest layer first.
///   - schema: Gives variables their keys: `PLUE__SERVER__MAX_CONNECTIONS` is `server.max_connections`.
/// - Returns: The stack, and what is wrong with the overrides.
func stack(
    _ documents: [ParsedDocument], under candidate: Candidate, for schema: SectionModel
) -> (stack: LayerStack, problems: [Diagnostic]) {
    var stack = LayerStack()
    var problems: [Diagnostic] = []
    for parsed in documents {
        stack.documents.append(parsed.document)
        stack.add(parsed.document, role: parsed.role)
    }
    for (name, text) in candidate.variables where name.hasPrefix(variablePrefix) {
        switch schema.override(byVariable: name) {
        case .success(.value(let key)): stack.add(Contribution(origin: .variable(name), text: .literal(text)), for: key)
        case .success(.file(let key)):
            let value = SectionModel.variable(for: key)
            if candidate.variables[value] != nil {
                problems.append(
                    Diagnostic(
                        "ambiguous-variable", key: key, at: Origin.variable(name).location, "both $\(value) and $\(name) are set",
                        hint: "unset one of them"))
            }
            stack.add(Contribution(origin: .variable(name), text: .file(FilePath(text))), for: key)
        case .failure(let problem): problems.append(problem)
        }
    }
    for override in candidate.overrides {
        do {
            let text = try ValueText(parsing: override.text)
            stack.add(Contribution(origin: .flag(override.key), text: .written(text)), for: override.key)
        } catch {
            problems += error.problems.map { problem in
                Diagnostic(
                    DiagnosticCode(rawValue: problem.code.rawValue), key: override.key, at: Origin.flag(override.key).location,
                    "--set \(override.key): \(problem.message)", hint: problem.hint)
            }
        }
    }
    return (stack, problems)
}

extension LayerStack {
    fileprivate mutating func add(_ document: Document, role: SourceText.Role) {
        let layer = Layer(.document(document, role: role))
        for section in document.sections where section.name != profileSection {
            sections[section.name, default: LayeredSection()].add(document, section, layer)
        }
    }

    fileprivate mutating func add(_ contribution: Contribution, for key: SettingKey) {
        sections[key.section, default: LayeredSection()].add(contribution, for: key.name)
    }
}

extension LayeredSection {
    fileprivate mutating func add(_ document: Document, _ section: Document.Section, _ layer: Layer) {
        if header == nil { header = (layer, section.nameRange) }
        if keys.isEmpty { keys.reserveCapacity(section.entries.count) }
        for entry in document.entries[section.entries] {
            add(Contribution(origin: .entry(layer, entry), text: .entry), for: document.key(of: entry))
        }
    }

    fileprivate mutating func add(_ contribution: Contribution, for name: String) {
        if keys[name]?.override(with: contribution) == nil {
            keys[name] = LayeredValue(winner: contribution)
        }
    }
}
