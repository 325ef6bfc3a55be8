/// A value that nothing prints: not a string, a log line, an error, `dump` or JSON.
///
/// The only way in is ``withExposed(_:)``, so that `grep withExposed` finds every place where a secret leaves its cover.
public struct Secret<Value: Sendable>: Sendable {
    private let value: Value

    public init(_ value: Value) { self.value = value }

    /// Hands the bare value to `body`. Keep it inside: what `body` returns is no longer covered.
    public func withExposed<Result, Failure: Error>(_ body: (Value) throws(Failure) -> Result) throws(Failure) -> Result {
        try body(value)
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "<secret>" }
    public var debugDescription: String { "<secret>" }
    /// Empty: without it `dump` and every debugger's formatter print the stored value.
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

extension Secret: Equatable where Value: SettingValue {
    /// Compares in time that depends on the lengths alone, not on where the values differ.
    public static func == (left: Secret, right: Secret) -> Bool {
        let left = Array(left.value.plainValue.description.utf8)
        let right = Array(right.value.plainValue.description.utf8)
        var difference: UInt8 = left.count == right.count ? 0 : 1
        for index in 0..<min(left.count, right.count) { difference |= left[index] ^ right[index] }
        return difference == 0
    }
}

@available(*, unavailable, message: "a secret is not Encodable: encode what is shown of it, or expose it on purpose")
extension Secret: Encodable {
    public func encode(to encoder: any Encoder) throws {}
}

extension DefaultStringInterpolation {
    @available(*, deprecated, message: "a secret in a string prints <secret>; expose it on purpose or leave it out")
    public mutating func appendInterpolation<Value>(_ secret: Secret<Value>) {
        appendLiteral(secret.description)
    }
}
