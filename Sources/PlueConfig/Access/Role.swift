/// What somebody who comes through the API or ssh may do. Each role includes what the ones before it may.
///
/// Tokens and ssh keys carry one; whoever has none named is a ``viewer``.
public enum Role: String, Hashable, Sendable, CaseIterable, Comparable, CustomStringConvertible {
    /// Reads settings, plans and history; secrets are redacted.
    case viewer
    /// Changes settings as well: apply, confirm, roll back, reload; reveals secrets, on record; approves what others ask for.
    case `operator`
    /// Everything: grants and revokes tokens as well.
    case admin

    /// By what they may do: `viewer < operator < admin`.
    public static func < (left: Role, right: Role) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .viewer: 0
        case .operator: 1
        case .admin: 2
        }
    }

    /// The name in settings, tokens and keys: `viewer`.
    public var description: String { rawValue }
}
