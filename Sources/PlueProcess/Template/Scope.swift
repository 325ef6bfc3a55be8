import Mustache
import PlueConfig
import SystemPackage

/// What one rendering asked for and met. Used by the one task that renders.
final class Lookups {
    let tags: [TemplateTag]
    let values: TemplateValues
    private(set) var problems: Set<TemplateProblem.Place> = []
    /// Bare, and only while this rendering goes on.
    private var exposed: Set<String> = []
    private var count = 0

    /// Lists inside lists multiply. What is asked beyond this is answered with nothing, so that it ends, and refused.
    private static let limit = 1_000_000

    init(tags: [TemplateTag], values: TemplateValues) {
        self.tags = tags
        self.values = values
    }

    /// Whether one more is answered.
    func admit(_ tag: TemplateTag) -> Bool {
        count += 1
        if count > Self.limit { report("the template asks for more than \(Self.limit) values", tag) }
        return count <= Self.limit
    }

    func report(_ message: String, _ tag: TemplateTag) {
        problems.insert(TemplateProblem.Place(line: tag.line, message: message))
    }

    /// Every secret that became part of the file.
    var secrets: [Secret<String>] { exposed.map { Secret($0) } }

    /// The value as text, which then is part of the file.
    func expose(_ content: SettingContent) -> String {
        switch content {
        case .unset: return ""
        case .plain(let value): return value.description
        case .secret(let secret):
            let text = secret.withExposed(\.description)
            exposed.insert(text)
            return text
        case .file(let file, let isSecret):
            // A daemon reads the file itself; what stands in its configuration is where.
            let text = file.path.string
            if isSecret { exposed.insert(text) }
            return text
        }
    }
}

/// What names mean at one place of a template: the innermost section first, then those around it.
///
/// The library keeps its own stack and asks the top of it first; since everything on it is a scope that knows those around it, the
/// top always has the answer, and a name that is found nowhere is known to be missing.
final class Scope: MustacheParent, MustacheCustomRenderable {
    private let node: TemplateValues.Node
    private let lookups: Lookups
    private let around: Scope?
    private let item: Item?

    /// Which of several this is.
    private struct Item {
        let index: Int
        let count: Int
        /// A subsection's name; `nil` in a list.
        var name: String?
    }

    convenience init(_ root: TemplateValues.Node, _ lookups: Lookups) { self.init(root, lookups, within: nil) }

    private init(_ node: TemplateValues.Node, _ lookups: Lookups, within around: Scope?, item: Item? = nil) {
        self.node = node
        self.lookups = lookups
        self.around = around
        self.item = item
    }

    // Never the text of a tag: those are answered with strings.
    var renderText: String { "" }
    var isNull: Bool { false }

    /// The library's question: what a tag stands for.
    func child(named number: String) -> Any? {
        guard let index = Int(number), lookups.tags.indices.contains(index) else { return nil }
        let tag = lookups.tags[index]
        let nothing: Any = tag.kind == .value ? "" : false
        guard lookups.admit(tag) else { return nothing }
        let found: Found
        do throws(Missing) {
            found = try find(tag.name)
            return tag.kind == .value ? try text(of: found, tag.name) : section(of: found)
        } catch {
            lookups.report(error.message, tag)
            return nothing
        }
    }

    private struct Missing: Error { let message: String }

    private enum Found {
        case node(TemplateValues.Node)
        case subsections([(name: String, node: TemplateValues.Node)])
        case value(PlainValue)
    }

    // MARK: - Names

    private func find(_ name: String) throws(Missing) -> Found {
        switch name {
        case ".": return .node(node)
        case "first()": return .value(.boolean(try inner(name, \.item).index == 0))
        case "last()": return .value(.boolean(try inner(name) { $0.item.flatMap { $0.index == $0.count - 1 } }))
        case "index()": return .value(.integer(try inner(name, \.item).index))
        case "name()": return .value(.string(try inner(name, \.item?.name)))
        default: break
        }
        var path = name.split(separator: ".").map(String.init)[...]
        let wantsAll = path.last == "*"
        if wantsAll { path = path.dropLast() }
        var found = node
        if let first = path.first {
            found = try inner(missing(name)) { $0.node.children[first] }
            for component in path.dropFirst() {
                guard let next = found.children[component] else { throw missing(name) }
                found = next
            }
        }
        guard wantsAll else { return .node(found) }
        let subsections = found.children.filter { !$0.value.children.isEmpty }.sorted { $0.key < $1.key }
        return .subsections(subsections.map { ($0.key, $0.value) })
    }

    /// The nearest scope's answer.
    private func inner<Value>(_ missing: @autoclosure () -> Missing, _ answer: (Scope) -> Value?) throws(Missing) -> Value {
        var scope: Scope? = self
        while let current = scope {
            if let value = answer(current) { return value }
            scope = current.around
        }
        throw missing()
    }

    private func inner<Value>(_ function: String, _ answer: (Scope) -> Value?) throws(Missing) -> Value {
        try inner(Missing(message: "\(function) has a meaning only inside a section that repeats"), answer)
    }

    private func missing(_ name: String) -> Missing {
        let hint = suggestion(for: name, among: lookups.values.root.names()).map { "; did you mean '\($0)'?" } ?? ""
        return Missing(message: "there is no setting or section '\(name)'\(hint)")
    }

    // MARK: - Answers

    private func text(of found: Found, _ name: String) throws(Missing) -> String {
        switch found {
        case .value(let value): return value.description
        case .node(let node):
            guard let content = node.content else { throw Missing(message: "'\(name)' is a section and has no value") }
            if case .unset = content { throw Missing(message: "'\(name)' has no value; give it one, or ask for it with {{#\(name)}}") }
            return lookups.expose(content)
        case .subsections: throw Missing(message: "'\(name)' is no value")
        }
    }

    /// What decides whether, how often, and with which names a section's text stands there: a truth, scopes, or a scope.
    private func section(of found: Found) -> Any {
        switch found {
        case .value(.boolean(let flag)): return flag
        case .value: return true
        case .subsections(let subsections):
            return subsections.enumerated().map { index, subsection in
                let item = Item(index: index, count: subsections.count, name: subsection.name)
                return Scope(subsection.node, lookups, within: self, item: item)
            }
        case .node(let node):
            guard let content = node.content else { return Scope(node, lookups, within: self) }
            if let items = content.items {
                return items.enumerated().map { index, item in
                    let node = TemplateValues.Node(content: item)
                    return Scope(node, lookups, within: self, item: Item(index: index, count: items.count))
                }
            }
            return content.isTrue ? Scope(node, lookups, within: self) : false
        }
    }
}

extension SettingContent {
    /// A list's items, each as secret as the list.
    fileprivate var items: [SettingContent]? {
        switch self {
        case .plain(.list(let items)): items.map { .plain($0) }
        case .secret(let secret): secret.withExposed { if case .list(let items) = $0 { items.map { .secret(Secret($0)) } } else { nil } }
        default: nil
        }
    }

    fileprivate var isTrue: Bool {
        func isTrue(_ value: PlainValue) -> Bool { value != .boolean(false) && value != .string("") && value != .list([]) }
        return switch self {
        case .unset: false
        case .plain(let value): isTrue(value)
        case .secret(let secret): secret.withExposed(isTrue)
        case .file: true
        }
    }
}
