/// What a declaration says about a setting besides its name: a rule, a flag, or, as a string literal, its description.
///
/// ```swift
/// Setting("pool_max", \.poolMax, .range(1...1000), .restart, "Most connections at once.")
/// ```
public struct SettingTrait<Value: SettingValue>: Sendable {
    let part: Part

    enum Part: Sendable {
        case summary(String)
        case required
        case secret
        case restart
        case deprecated(use: String)
        case constraint(Constraint<Value>)
    }

    /// The setting must be set in some layer; its default does not count.
    public static var required: Self { Self(part: .required) }

    /// The value is redacted in everything Plue prints, serves or records.
    public static var secret: Self { Self(part: .secret) }

    /// A change takes effect when the process starts again; until then it is shown as pending restart.
    public static var restart: Self { Self(part: .restart) }

    /// The name is only still read, with a warning; `replacement` is the name to use.
    public static func deprecated(use replacement: String) -> Self { Self(part: .deprecated(use: replacement)) }

    /// A rule of your own.
    /// - Parameters:
    ///   - requirement: The end of the sentence "server.port is 1, but …": "must be a multiple of 8".
    ///   - code: The diagnostic's code.
    ///   - holds: Whether the value keeps the rule.
    public static func custom(
        _ requirement: String, code: DiagnosticCode = "custom",
        holds: @escaping @Sendable (Value, RuleContext) -> Bool
    ) -> Self {
        Self(Constraint(code: code, expected: requirement, requirement: requirement, holds: holds))
    }

    /// The same rule, as advice: a value that breaks it is reported as a warning and taken.
    public var warning: Self {
        guard case .constraint(var constraint) = part else { return self }
        constraint.severity = .warning
        return Self(constraint)
    }

    init(_ constraint: Constraint<Value>) { part = .constraint(constraint) }

    private init(part: Part) { self.part = part }
}

extension SettingTrait: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    /// The setting's description, one line.
    public init(stringLiteral value: String) { self.init(part: .summary(value)) }
}
