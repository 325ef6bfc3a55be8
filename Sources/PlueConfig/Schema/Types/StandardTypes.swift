public import Foundation
import PlueDocuments
public import SystemPackage

extension String: SettingValue {
    public static var kind: ValueKind { .string(format: nil) }
    public init(setting text: SettingText) { self = text.scalar }
    public var plainValue: PlainValue { .string(self) }
}

extension Bool: SettingValue {
    public static var kind: ValueKind { .boolean }

    /// `true false yes no on off`, in any case.
    public init(setting text: SettingText) throws(ConversionProblem) {
        guard let flag = ValueText.boolean(text.scalar) else {
            throw ConversionProblem(expected: "true or false", hint: "write true, yes or on; false, no or off")
        }
        self = flag
    }

    public var plainValue: PlainValue { .boolean(self) }
}

/// The whole numbers: every fixed-width integer is a setting in the same way.
extension SettingValue where Self: FixedWidthInteger {
    public static var kind: ValueKind {
        .integer(minimum: Int(clamping: Self.min), maximum: Int(clamping: Self.max))
    }

    /// Decimal digits with an optional sign.
    public init(setting text: SettingText) throws(ConversionProblem) {
        guard let number = Self(text.scalar) else {
            let isWhole = text.scalar.drop { $0 == "-" || $0 == "+" }.allSatisfy(\.isWholeNumber) && !text.scalar.isEmpty
            throw ConversionProblem(
                expected: isWhole ? "a whole number between \(Self.min) and \(Self.max)" : "a whole number")
        }
        self = number
    }

    public var plainValue: PlainValue { .integer(Int(clamping: self)) }
}

extension Int: SettingValue {}
extension Int8: SettingValue {}
extension Int16: SettingValue {}
extension Int32: SettingValue {}
extension Int64: SettingValue {}
extension UInt8: SettingValue {}
extension UInt16: SettingValue {}
extension UInt32: SettingValue {}

extension Double: SettingValue {
    public static var kind: ValueKind { .number }

    /// A finite decimal number, with an exponent if need be.
    public init(setting text: SettingText) throws(ConversionProblem) {
        guard let number = Double(text.scalar), number.isFinite else { throw ConversionProblem(expected: "a number") }
        self = number
    }

    public var plainValue: PlainValue { .number(self) }
}

extension Float: SettingValue {
    public static var kind: ValueKind { .number }
    public init(setting text: SettingText) throws(ConversionProblem) {
        guard let number = Float(text.scalar), number.isFinite else { throw ConversionProblem(expected: "a number") }
        self = number
    }
    public var plainValue: PlainValue { .number(Double(self)) }
}

extension URL: SettingValue {
    public static var kind: ValueKind { .string(format: "uri") }

    /// An absolute URL: it has a scheme.
    public init(setting text: SettingText) throws(ConversionProblem) {
        guard let url = URL(string: text.scalar), url.scheme != nil else {
            throw ConversionProblem(expected: "a URL such as https://example.org/path")
        }
        self = url
    }

    public var plainValue: PlainValue { .string(absoluteString) }
}

extension FilePath: SettingValue {
    public static var kind: ValueKind { .string(format: "plue-path") }

    public init(setting text: SettingText) throws(ConversionProblem) {
        guard !text.scalar.isEmpty, !text.scalar.utf8.contains(0) else { throw ConversionProblem(expected: "a file path") }
        self = FilePath(text.scalar)
    }

    public var plainValue: PlainValue { .string(string) }
}

/// A word out of a fixed set: `enum Level: String, CaseIterable, SettingValue { case info, debug }`.
extension SettingValue where Self: RawRepresentable & CaseIterable, RawValue == String {
    public static var kind: ValueKind { .choice(allCases.map(\.rawValue)) }

    public init(setting text: SettingText) throws(ConversionProblem) {
        guard let value = Self(rawValue: text.scalar) else {
            let words = Self.allCases.map(\.rawValue)
            throw ConversionProblem(
                expected: Self.kind.summary, hint: nearest(text.scalar, among: words).map { "did you mean '\($0)'?" })
        }
        self = value
    }

    public var plainValue: PlainValue { .string(rawValue) }
}

extension Array: SettingValue where Element: SettingValue {
    public static var kind: ValueKind { .list(of: Element.kind) }

    public init(setting text: SettingText) throws(ConversionProblem) {
        guard case .list(let texts) = text else { throw ConversionProblem(expected: Self.kind.summary) }
        self = []
        reserveCapacity(texts.count)
        for (index, item) in texts.enumerated() {
            do {
                append(try Element(setting: .scalar(item)))
            } catch {
                throw ConversionProblem(expected: error.expected, hint: error.hint, item: index)
            }
        }
    }

    public var plainValue: PlainValue { .list(map(\.plainValue)) }
}
