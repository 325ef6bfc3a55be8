/// One setting of a snapshot as it is shown: its value, where it came from, and what it overrides.
public struct EffectiveSetting: Sendable {
    /// Its name and section.
    public let key: SettingKey
    /// What the schema says of it.
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
    /// A path, with what the file holds.
    case file(WatchedFile, isSecret: Bool)

    init(_ value: SettingModel.Decoded?, isSecret: Bool) {
        switch (value?.plain, value?.file) {
        case (nil, _): self = .unset
        case (_, let file?): self = .file(file, isSecret: isSecret)
        case (let value?, nil): self = isSecret ? .secret(Secret(value)) : .plain(value)
        }
    }

    /// The value as the process uses it, bare. What calls this must not print it.
    var value: PlainValue? {
        switch self {
        case .unset: nil
        case .plain(let value): value
        case .secret(let secret): secret.withExposed(\.self)
        case .file(let file, _): file.path.plainValue
        }
    }

    /// Whether this is the value. Secrets are compared in constant time.
    package func holds(_ value: PlainValue) -> Bool {
        switch self {
        case .unset: false
        case .plain(let own): own == value
        case .secret(let secret): secret.isSame(as: Secret(value))
        case .file(let file, _): file.path.plainValue == value
        }
    }

    /// Whether its value may not be shown.
    public var isSecret: Bool {
        switch self {
        case .unset, .plain: false
        case .secret: true
        case .file(_, let isSecret): isSecret
        }
    }

    /// Whether both are the same value. Secrets are compared in constant time.
    package func isSame(as other: SettingContent) -> Bool {
        switch (self, other) {
        case (.unset, .unset): true
        case (.plain(let left), .plain(let right)): left == right
        case (.secret(let left), .secret(let right)): left.isSame(as: right)
        case (.file(let left, _), .file(let right, _)): left == right
        default: false
        }
    }
}
