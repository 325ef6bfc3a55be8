import CPlueSystem

/// A value that nothing prints: not a string, a log line, an error, `dump` or JSON.
///
/// The only ways in are ``withExposed(_:)`` and ``withExposedBytes(_:)``, so that `grep withExposed` finds every place where a secret
/// leaves its cover.
///
/// Text is kept in memory that is locked, left out of core dumps and erased with the last copy of the secret. That is so for
/// `String`, `[String]` and the text in a ``PlainValue``; a secret of another type, such as a number, is covered in the same way, but
/// kept as Swift keeps it. What `withExposed` hands out, and what the secret was made from, are ordinary values that nobody erases:
/// erasing shortens the time and the number of places, it does not promise that no copy is left.
public struct Secret<Value: Sendable>: Sendable {
    private let box: SecretBox<Value>

    public init(_ value: Value) { box = SecretBox.locked(value) ?? SecretBox(value) }

    private init(_ box: SecretBox<Value>) { self.box = box }

    /// Hands the bare value to `body`. Keep it inside: what `body` returns is no longer covered.
    public func withExposed<Result, Failure: Error>(_ body: (Value) throws(Failure) -> Result) throws(Failure) -> Result {
        try body(box.value())
    }

    /// The UTF-8 bytes of what `describe` says, without a copy where the value is kept as text.
    private func withText<Result>(_ describe: (Value) -> String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        if let text = box.text { return text.withBytes(body) }
        var text = describe(box.value())
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }

    private func isSame(as other: Secret, by describe: (Value) -> String) -> Bool {
        withText(describe) { left in
            other.withText(describe) { right in
                left.count == right.count && plue_is_equal(left.baseAddress, right.baseAddress, left.count) != 0
            }
        }
    }
}

extension Secret where Value == String {
    /// A secret text from its UTF-8 bytes, of which no `String` is made; `nil` when they are not UTF-8.
    public init?(utf8 bytes: UnsafeRawBufferPointer) {
        var parser = Unicode.UTF8.ForwardParser()
        var rest = bytes.makeIterator()
        scalars: while true {
            switch parser.parseScalar(from: &rest) {
            case .valid: continue
            case .emptyInput: break scalars
            case .error: return nil
            }
        }
        self.init(SecretBox(text: SecretBytes(bytes)) { $0.text })
    }

    /// Hands the text's UTF-8 bytes to `body`, valid inside it only. Nothing is copied, so that nothing is left behind.
    public func withExposedBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try (box.text ?? .of(box.value())).withBytes(body)
    }
}

extension Secret where Value == PlainValue {
    /// Hands the UTF-8 bytes of the value as a document would have it to `body`.
    func withExposedText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { withText(\.description, body) }

    /// Compares in time that depends on the lengths alone.
    func isSame(as other: Self) -> Bool { isSame(as: other, by: \.comparable) }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "<secret>" }
    public var debugDescription: String { "<secret>" }
    /// Empty: without it `dump` and every debugger's formatter print what is stored.
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

extension Secret: Equatable where Value: SettingValue {
    /// Compares in time that depends on the lengths alone, not on where the values differ.
    public static func == (left: Secret, right: Secret) -> Bool { left.isSame(as: right, by: \.plainValue.comparable) }
}

extension PlainValue {
    /// A text that two values share only if they are the same: unlike in ``description``, a comma in an item is not one between items.
    fileprivate var comparable: String {
        guard case .list(let items) = self else { return description }
        return items.map(\.comparable).map { "\($0.utf8.count):\($0)" }.joined()
    }
}

@available(*, unavailable, message: "a secret is not Encodable: encode what is shown of it, or expose it on purpose")
extension Secret: Encodable {
    public func encode(to encoder: any Encoder) throws {}
}

extension DefaultStringInterpolation {
    /// Keeps a secret out of a text: the compiler complains, and what is printed is a placeholder.
    @available(*, deprecated, message: "a secret in a string prints <secret>; expose it on purpose or leave it out")
    public mutating func appendInterpolation<Value>(_ secret: Secret<Value>) {
        appendLiteral(secret.description)
    }
}
