internal import Crypto
import Foundation
public import SystemPackage

/// Tells secrets apart without telling them: equal values have equal fingerprints, and nothing else can be learned.
///
/// HMAC-SHA256 under a key of this installation, cut to 64 bits: without the key, guessing offline is no use.
public struct Fingerprints: Sendable {
    private let key: SymmetricKey

    /// - Parameter key: At least 16 bytes, kept with the state and nowhere else.
    public init(key: [UInt8]) { self.key = SymmetricKey(data: key) }

    /// Fingerprints that mean something to this process only.
    public static func ephemeral() -> Fingerprints {
        var generator = SystemRandomNumberGenerator()
        return Fingerprints(key: (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    /// `hmac:` and 16 hex digits.
    public func fingerprint(of secret: Secret<PlainValue>) -> String {
        secret.withExposedText { text in
            let code = HMAC<SHA256>.authenticationCode(for: text, using: key)
            return "hmac:"
                + code.prefix(8).map { byte in
                    let digits = String(byte, radix: 16)
                    return digits.count == 1 ? "0" + digits : digits
                }.joined()
        }
    }

    /// What may be shown of a setting: its value, or that it is secret, whether it is set, and its fingerprint.
    public func shown(_ content: SettingContent) -> ShownValue {
        switch content {
        case .unset: .unset
        case .plain(let value): .value(value)
        case .secret(let secret): .secret(fingerprint: fingerprint(of: secret))
        case .file(let file, isSecret: false): .file(file.path, fingerprint: fingerprint(of: file.digest))
        case .file(let file, isSecret: true):
            .secret(fingerprint: fingerprint(of: Secret(.list([file.path.plainValue, file.digest.withExposed(\.self)]))))
        }
    }
}

/// A setting's content as it may leave the process.
public enum ShownValue: Hashable, Sendable, CustomStringConvertible {
    case unset
    case value(PlainValue)
    case secret(fingerprint: String)
    /// A file by its path, and by its content's fingerprint.
    case file(FilePath, fingerprint: String)

    /// `8080`, `(secret hmac:0123456789abcdef)`, `/etc/tls.pem`, `(unset)`; text is quoted where it would be misread.
    public var description: String {
        switch self {
        case .unset: "(unset)"
        case .secret(let fingerprint): "(secret \(fingerprint))"
        case .file(let path, _): path.string
        case .value(.string("")): "\"\""
        case .value(let value): value.description
        }
    }

    /// `null`, the value, for a file its path, or `{"secret":true,"set":true,"fingerprint":"hmac:…"}`.
    public var json: JSONValue {
        switch self {
        case .unset: .null
        case .value(let value): JSONValue(value)
        case .file(let path, _): .string(path.string)
        case .secret(let fingerprint): ["secret": true, "set": true, "fingerprint": .string(fingerprint)]
        }
    }
}
