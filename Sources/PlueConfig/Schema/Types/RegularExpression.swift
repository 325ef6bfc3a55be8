import Synchronization

/// A regular expression as a setting, in Swift's syntax (close to PCRE and ECMAScript).
public struct RegularExpression: Sendable {
    /// The expression as written.
    public let source: String
    private let compiled: Compiled

    /// `Regex` is not Sendable; the mutex makes its one instance safe to share.
    private final class Compiled: Sendable {
        let regex: Mutex<Regex<AnyRegexOutput>>
        init(_ source: String) throws { regex = Mutex(try Regex(source)) }
    }

    /// - Throws: The regex compiler's error when the text is not an expression.
    public init(_ source: String) throws {
        self.source = source
        compiled = try Compiled(source)
    }

    /// Whether the text contains a match.
    public func matches(_ text: String) -> Bool {
        compiled.regex.withLock { (try? $0.firstMatch(in: text)) ?? nil } != nil
    }
}

extension RegularExpression: Hashable {
    public static func == (left: Self, right: Self) -> Bool { left.source == right.source }
    public func hash(into hasher: inout Hasher) { hasher.combine(source) }
}

extension RegularExpression: SettingValue {
    public static var kind: ValueKind { .string(format: "regex") }
    public init(setting text: SettingText) throws(ConversionProblem) {
        do { try self.init(text.scalar) } catch { throw ConversionProblem(expected: "a regular expression") }
    }
    public var plainValue: PlainValue { .string(source) }
}
