import Crypto

/// What a data key is called, in tokens and in the keyring: `k` and ten hex digits.
///
/// It is derived from the key's bytes, so it cannot be given to another key, and it tells nothing about them.
public struct KeyID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// `k` and ten hexadecimal digits.
    public let rawValue: String

    /// `nil` unless the text is `k` and ten lower-case hex digits.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 11, text.utf8.first == UInt8(ascii: "k") else { return nil }
        for byte in text.utf8.dropFirst() {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): continue
            default: return nil
            }
        }
        rawValue = String(text)
    }

    /// HKDF-SHA256 over the key with the salt `plue/kid/v1` and no info, cut to five bytes.
    init(of key: SymmetricKey) {
        let bytes = HKDF<SHA256>.deriveKey(inputKeyMaterial: key, salt: Array("plue/kid/v1".utf8), outputByteCount: 5)
        rawValue = bytes.withUnsafeBytes { "k" + $0.map(hex).joined() }
    }

    public var description: String { rawValue }

    public static func < (left: KeyID, right: KeyID) -> Bool { left.rawValue < right.rawValue }
}

/// Two lower-case hex digits.
func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
