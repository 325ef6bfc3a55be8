/// One setting of a snapshot as it is shown: its value, where it came from, and what it overrides.
public struct EffectiveSetting: Sendable {
    public let key: SettingKey
    public let model: SettingModel
    /// What runs.
    public let content: SettingContent
    /// What the files say, when that waits for a restart.
    public let pending: SettingContent?
    /// What the layers say of it; `nil` for a setting at its default.
    let layered: LayeredValue?

    /// The layer that wins; the default when none sets it.
    public var origin: Origin { layered?.winner.origin ?? .schemaDefault }

    /// Every layer's contribution, lowest first, the one that wins last; none for a setting at its default.
    public var contributions: [Contribution] { layered.map { $0.overridden + [$0.winner] } ?? [] }

    /// Whether some layer sets it.
    public var isExplicit: Bool { layered != nil }
}

/// A setting's value, or the fact that there is none; covered when it is secret.
public enum SettingContent: Sendable {
    case unset
    case plain(PlainValue)
    case secret(Secret<PlainValue>)

    init(_ value: PlainValue?, isSecret: Bool) {
        guard let value else {
            self = .unset
            return
        }
        self = isSecret ? .secret(Secret(value)) : .plain(value)
    }

    /// The value as the process uses it, bare. What calls this must not print it.
    var value: PlainValue? {
        switch self {
        case .unset: nil
        case .plain(let value): value
        case .secret(let secret): secret.withExposed(\.self)
        }
    }

    public var isSecret: Bool { if case .secret = self { true } else { false } }

    /// Whether both are the same value. Secrets are compared in constant time.
    func isSame(as other: SettingContent) -> Bool {
        switch (self, other) {
        case (.unset, .unset): true
        case (.plain(let left), .plain(let right)): left == right
        case (.secret(let left), .secret(let right)): left.isSame(as: right)
        default: false
        }
    }
}

extension Secret where Value == PlainValue {
    /// Compares in time that depends on the lengths alone.
    func isSame(as other: Self) -> Bool {
        withExposed { left in other.withExposed { right in Secret<String>(left.description) == Secret<String>(right.description) } }
    }
}
