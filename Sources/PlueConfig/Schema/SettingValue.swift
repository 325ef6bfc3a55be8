/// A type that a setting can have.
///
/// Plue ships `String`, `Bool`, `Int` and its sized relatives, `Double`, `Float`, `Duration`, ``ByteSize``, `URL`, `FilePath`,
/// ``IPAddress``, ``CIDR``, ``HostPort``, ``RegularExpression``, `RawRepresentable` string enums, and arrays of all of them.
/// To add one, say how it reads and how it is written:
///
/// ```swift
/// extension LogLevel: SettingValue {
///     static var kind: ValueKind { .string(format: nil) }
///     init(setting text: SettingText) throws(ConversionProblem) { … }
///     var plainValue: PlainValue { .string(name) }
/// }
/// ```
public protocol SettingValue: Sendable {
    /// What the type looks like from outside: for messages, JSON Schema and the reference page.
    static var kind: ValueKind { get }

    /// Reads the value from resolved text.
    /// - Throws: ``ConversionProblem`` saying what was expected. It must not repeat the text, which may be a secret.
    init(setting text: SettingText) throws(ConversionProblem)

    /// The canonical form; `Self(setting: SettingText(value.plainValue))` gives the value back.
    var plainValue: PlainValue { get }
}

/// A setting's text after layering and substitution, as its type reads it.
public enum SettingText: Hashable, Sendable {
    /// One value.
    case scalar(String)
    /// The items of a list; empty for `key =`.
    case list([String])

    /// The text that a canonical value is written with.
    public init(_ value: PlainValue) {
        if case .list(let items) = value {
            self = .list(items.map(\.description))
        } else {
            self = .scalar(value.description)
        }
    }

    /// The text as one value. A list has none: a type that is not a list is never given one.
    public var scalar: String {
        switch self {
        case .scalar(let text): text
        case .list(let items): items.joined(separator: ", ")
        }
    }
}

/// Why a text is not a value of its type.
public struct ConversionProblem: Error, Hashable, Sendable {
    /// What would be right, as a noun phrase: "a whole number", "true or false".
    public let expected: String
    /// The way out, when there is more to say than ``expected``.
    public let hint: String?
    /// Which item of a list is wrong, counted from 0.
    public let item: Int?

    public init(expected: String, hint: String? = nil, item: Int? = nil) {
        self.expected = expected
        self.hint = hint
        self.item = item
    }
}

/// What a setting's type looks like from outside.
public indirect enum ValueKind: Hashable, Sendable {
    /// Any text; `format` names a JSON Schema format ("uri", "ipv4", "plue-path" …).
    case string(format: String?)
    case boolean
    /// A whole number; the bounds are those of the Swift type.
    case integer(minimum: Int, maximum: Int)
    case number
    /// A length of time, `30s`.
    case duration
    /// An amount of data, `16MiB`.
    case byteSize
    /// One of some words.
    case choice([String])
    case list(of: ValueKind)

    /// The kind in a few words, for messages and the reference page: "a whole number".
    public var summary: String {
        switch self {
        case .string(format: nil): "text"
        case .string(format: let format?): Self.formatSummaries[format] ?? format
        case .boolean: "true or false"
        case .integer: "a whole number"
        case .number: "a number"
        case .duration: "a duration such as 250ms, 30s or 1h30m"
        case .byteSize: "a size such as 512, 64KB or 10MiB"
        case .choice(let words): words.count == 1 ? words[0] : "one of " + words.joined(separator: ", ")
        case .list(let item): "a list, each item \(item.summary)"
        }
    }

    private static let formatSummaries = [
        "uri": "a URL such as https://example.org/path",
        "plue-path": "a file path",
        "ip": "an IPv4 or IPv6 address",
        "cidr": "a network such as 10.0.0.0/8",
        "host-port": "host:port",
        "regex": "a regular expression",
    ]

    /// Whether the kind is a list, so that its text is split at commas.
    public var isList: Bool {
        if case .list = self { true } else { false }
    }
}
