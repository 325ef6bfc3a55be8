public import PlueConfig

/// What a template may name: settings with their values, secrets under their cover.
///
/// Two are equal when every setting is the same; secrets are compared in constant time.
public struct TemplateValues: Sendable {
    /// What stands behind one name: a setting, a section, or, where `[web] tls` and `[web.tls]` both exist, both.
    struct Node: Sendable {
        var content: SettingContent?
        var children: [String: Node] = [:]
    }

    private(set) var root = Node()

    public init() {}

    /// Takes a snapshot's settings over, those without a value too: a template may ask whether there is one.
    public init(_ settings: some Sequence<EffectiveSetting>) {
        for setting in settings { self[setting.key] = setting.content }
    }

    /// The content of one setting; `nil` when the name is not known at all, which is not the same as `SettingContent/unset`.
    public subscript(key: SettingKey) -> SettingContent? {
        get { key.components.reduce(Optional(root)) { $0?.children[$1] }?.content }
        set { root.set(newValue, at: key.components[...]) }
    }
}

extension TemplateValues: Equatable {
    public static func == (left: Self, right: Self) -> Bool { left.root.isSame(as: right.root) }
}

extension TemplateValues.Node {
    fileprivate mutating func set(_ content: SettingContent?, at path: ArraySlice<String>) {
        guard let name = path.first else {
            self.content = content
            return
        }
        children[name, default: Self()].set(content, at: path.dropFirst())
    }

    fileprivate func isSame(as other: Self) -> Bool {
        switch (content, other.content) {
        case (nil, nil): break
        case (let content?, let otherContent?): guard content.isSame(as: otherContent) else { return false }
        default: return false
        }
        return children.count == other.children.count
            && children.allSatisfy { name, child in other.children[name].map(child.isSame) ?? false }
    }

    /// The full names of all settings below, for "did you mean".
    func names(within prefix: String = "") -> [String] {
        children.flatMap { name, child in
            (child.content == nil ? [] : [prefix + name]) + child.names(within: "\(prefix)\(name).")
        }
    }
}
