public import Configuration
import Foundation
import PlueDocuments

/// A library asked for a setting as a type that its value is not.
public struct SettingTypeMismatch: Error, CustomStringConvertible {
    /// `server.port`
    public let key: String
    /// What the schema says the setting is.
    public let kind: ValueKind
    /// What was asked for.
    public let requested: ConfigType

    /// Without the value, which may be secret.
    public var description: String { "\(key) was read as \(requested.rawValue), but it is \(kind.summary)" }
}

extension ConfigContent {
    /// A setting's value as the type that is asked for; `nil` when it is not one.
    ///
    /// What the schema types is converted where nothing is lost: a whole number is a number too, everything is its text, a duration
    /// as a number is seconds, a size bytes. Text is read as the type by the dialect's rules, bytes as base64.
    init?(_ value: PlainValue, of kind: ValueKind, as type: ConfigType) {
        let items = value.items(of: kind)
        let content: ConfigContent? =
            switch type {
            case .string: value.isList ? nil : .string(value.description)
            case .int: value.whole(kind).map(ConfigContent.int)
            case .double: value.real(kind).map(ConfigContent.double)
            case .bool: value.truth.map(ConfigContent.bool)
            case .bytes: value.bytes.map(ConfigContent.bytes)
            case .stringArray: items.every { $0.description }.map(ConfigContent.stringArray)
            case .intArray: items.every { $0.whole(kind.item) }.map(ConfigContent.intArray)
            case .doubleArray: items.every { $0.real(kind.item) }.map(ConfigContent.doubleArray)
            case .boolArray: items.every(\.truth).map(ConfigContent.boolArray)
            case .byteChunkArray: items.every(\.bytes).map(ConfigContent.byteChunkArray)
            }
        guard let content else { return nil }
        self = content
    }
}

extension PlainValue {
    fileprivate var isList: Bool { if case .list = self { true } else { false } }

    fileprivate func whole(_ kind: ValueKind) -> Int? {
        switch self {
        case .integer(let number): number
        case .number(let number): Int(exactly: number)
        case .string(let text):
            switch kind {
            case .duration: seconds(text).flatMap(Int.init(exactly:))
            case .byteSize: (try? ByteSize(setting: .scalar(text)))?.bytes
            default: try? Int(setting: .scalar(text))
            }
        case .boolean, .list: nil
        }
    }

    fileprivate func real(_ kind: ValueKind) -> Double? {
        switch self {
        case .integer(let number): Double(exactly: number)
        case .number(let number): number
        case .string(let text):
            switch kind {
            case .duration: seconds(text)
            case .byteSize: whole(kind).flatMap(Double.init(exactly:))
            default: try? Double(setting: .scalar(text))
            }
        case .boolean, .list: nil
        }
    }

    private func seconds(_ text: String) -> Double? {
        (try? Duration(setting: .scalar(text))).map { $0 / .seconds(1) }
    }

    fileprivate var truth: Bool? {
        switch self {
        case .boolean(let flag): flag
        case .string(let text): try? Bool(setting: .scalar(text))
        case .integer, .number, .list: nil
        }
    }

    fileprivate var bytes: [UInt8]? {
        guard case .string(let text) = self else { return nil }
        return Data(base64Encoded: text).map(Array.init)
    }

    /// A list's items. The text of an open section's key, whose type nobody declared, is split as the dialect splits a list.
    fileprivate func items(of kind: ValueKind) -> [PlainValue]? {
        switch (self, kind) {
        case (.list(let items), _): items
        case (.string(let text), .string(format: nil)): ValueText.literalItems(text).map(PlainValue.string)
        default: nil
        }
    }
}

extension ValueKind {
    /// What a list's items are; itself for what is not a list.
    fileprivate var item: ValueKind { if case .list(let item) = self { item } else { self } }
}

extension [PlainValue]? {
    fileprivate func every<Value>(_ read: (PlainValue) -> Value?) -> [Value]? {
        guard let items = self else { return nil }
        let values = items.compactMap(read)
        return values.count == items.count ? values : nil
    }
}
