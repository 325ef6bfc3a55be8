/// A setting's value in the form everything outside Swift's type system sees: JSON, plans, digests, swift-configuration.
///
/// It is canonical: two spellings of one value (`30s`, `30000ms`) have one `PlainValue`, so comparing two of them
/// answers "did this setting change".
public enum PlainValue: Hashable, Sendable {
    case string(String)
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case list([PlainValue])
}

extension PlainValue: CustomStringConvertible {
    /// How the value is written in a document, without quotes: `8080`, `true`, `a, b`.
    public var description: String {
        switch self {
        case .string(let text): text
        case .boolean(let flag): flag ? "true" : "false"
        case .integer(let number): String(number)
        case .number(let number): Int(exactly: number).map(String.init) ?? String(number)
        case .list(let items): items.map(\.description).joined(separator: ", ")
        }
    }
}
