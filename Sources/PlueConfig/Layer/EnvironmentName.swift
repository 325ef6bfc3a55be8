/// The name of an environment, which is the name of its profile: `development`, `staging`, `production` or any `[a-z][a-z0-9-]*`.
public struct EnvironmentName: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// As it appears in file names: `production`.
    public let rawValue: String

    /// `nil` unless the text is `[a-z][a-z0-9-]*` of at most 64 characters.
    public init?(_ text: some StringProtocol) {
        guard let first = text.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first), text.utf8.count <= 64
        else { return nil }
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): continue
            default: return nil
            }
        }
        rawValue = String(text)
    }

    /// A name written in source; one that breaks the rules is found when the configuration is loaded, as an unknown profile.
    public init(stringLiteral value: String) { rawValue = value }

    /// What counts unless another is chosen.
    public static let development: EnvironmentName = "development"
    /// Before production.
    public static let staging: EnvironmentName = "staging"
    /// The environment that rules are strictest in.
    public static let production: EnvironmentName = "production"

    public var description: String { rawValue }

    public static func == (left: EnvironmentName, right: String) -> Bool { left.rawValue == right }
    /// Whether the name is another, for rules that compare with a literal.
    public static func != (left: EnvironmentName, right: String) -> Bool { left.rawValue != right }
}
