/// Where a ``Secret`` keeps its value; all copies of the secret share it.
final class SecretBox<Value: Sendable>: Sendable {
    /// The whole value as bytes, when it is one text.
    let text: SecretBytes?
    /// Makes the value from what it is kept as.
    let value: @Sendable () -> Value

    /// Keeps a value as it is.
    convenience init(_ value: Value) { self.init(text: nil) { value } }

    /// Keeps a value that is one text.
    convenience init(text: SecretBytes, _ value: @escaping @Sendable (SecretBytes) -> Value) {
        self.init(text: text) { value(text) }
    }

    private init(text: SecretBytes?, value: @escaping @Sendable () -> Value) {
        self.text = text
        self.value = value
    }

    /// Keeps a value as bytes in secret memory; `nil` for a type that is not made of text.
    ///
    /// Each cast back to `Value` succeeds, since the case has found which type it is; if one did not, the value would be kept as it is.
    static func locked(_ value: Value) -> SecretBox? {
        switch value {
        case let text as String:
            return SecretBox<String>(text: .of(text)) { $0.text } as? SecretBox
        case let texts as [String]:
            let kept = texts.map(SecretBytes.of)
            return SecretBox<[String]>(text: nil) { kept.map(\.text) } as? SecretBox
        case let plain as PlainValue:
            guard case .string(let text) = plain else { return SecretBox<PlainValue>(text: nil, value: locked(plain)) as? SecretBox }
            return SecretBox<PlainValue>(text: .of(text)) { .string($0.text) } as? SecretBox
        default: return nil
        }
    }

    private static func locked(_ value: PlainValue) -> @Sendable () -> PlainValue {
        switch value {
        case .string(let text):
            let kept = SecretBytes.of(text)
            return { .string(kept.text) }
        case .list(let items):
            let kept = items.map(locked)
            return { .list(kept.map { $0() }) }
        case .boolean, .integer, .number: return { value }
        }
    }
}
