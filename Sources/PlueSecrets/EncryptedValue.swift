/// An encrypted value as documents hold it: `enc:v1:<key id>:<base64url>`.
///
/// There is one spelling of each value: whatever parses, prints as the same text. Parsing finds what is wrong with the text; whether
/// the value opens, only its key can tell.
public struct EncryptedValue: Hashable, Sendable {
    /// The key it was sealed with.
    public let keyID: KeyID
    /// 24 bytes, other ones for each value.
    let salt: [UInt8]
    /// 32 bytes that only the right key yields.
    let commitment: [UInt8]
    let ciphertext: [UInt8]
    /// 16 bytes.
    let tag: [UInt8]

    static let saltCount = 24
    static let commitmentCount = 32
    static let tagCount = 16
    /// What a ciphertext's length is a multiple of.
    static let blockCount = 32

    /// The longest plaintext, in UTF-8 bytes.
    public static let longestPlaintext = 65_536

    private static let longestCiphertext = (longestPlaintext / blockCount + 1) * blockCount
    private static let prefix = "enc:v1:"
    private static let longestText = prefix.utf8.count + 12 + (saltCount + commitmentCount + longestCiphertext + tagCount) * 4 / 3 + 2

    init(keyID: KeyID, salt: [UInt8], commitment: [UInt8], ciphertext: [UInt8], tag: [UInt8]) {
        self.keyID = keyID
        self.salt = salt
        self.commitment = commitment
        self.ciphertext = ciphertext
        self.tag = tag
    }

    /// Reads a value as it stands in a document.
    /// - Throws: ``TokenProblem`` for any text that this type would not print.
    public init(parsing text: String) throws(TokenProblem) {
        guard text.utf8.count <= Self.longestText else { throw .tooLong }
        guard Self.isClaimed(by: text) else { throw .notEncrypted }
        guard text.utf8.starts(with: Self.prefix.utf8) else { throw .unknownVersion }
        var text = text
        // At once: bytes of a string's view are copied one by one.
        let rest = text.withUTF8 { Array(UnsafeBufferPointer(rebasing: $0[Self.prefix.utf8.count...])) }
        let colon = rest.firstIndex(of: UInt8(ascii: ":"))
        guard let keyID = KeyID(String(decoding: rest[..<(colon ?? rest.endIndex)], as: UTF8.self)) else { throw .invalidKeyID }
        guard let colon else { throw .truncated }
        guard let blob = Base64URL.decoded(rest[(colon + 1)...]) else { throw .invalidBase64 }
        let around = Self.saltCount + Self.commitmentCount + Self.tagCount
        guard blob.count >= around + Self.blockCount, (blob.count - around) % Self.blockCount == 0 else { throw .truncated }
        guard blob.count - around <= Self.longestCiphertext else { throw .tooLong }
        var unread = blob[...]
        func next(_ count: Int) -> [UInt8] {
            defer { unread = unread.dropFirst(count) }
            return Array(unread.prefix(count))
        }
        self.init(
            keyID: keyID, salt: next(Self.saltCount), commitment: next(Self.commitmentCount), ciphertext: next(blob.count - around),
            tag: next(Self.tagCount))
    }

    /// Whether a text says that it is an encrypted value, of this version or another, `enc:v7:…`. Such a text is never a value itself.
    public static func isClaimed(by text: String) -> Bool {
        guard text.utf8.starts(with: "enc:v".utf8) else { return false }
        let rest = text.utf8.dropFirst(5)
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return !digits.isEmpty && rest.dropFirst(digits.count).first == UInt8(ascii: ":")
    }
}

extension EncryptedValue {
    /// No two values share a salt but by copying, so it is all that tells them apart quickly.
    public func hash(into hasher: inout Hasher) { salt.withUnsafeBytes { hasher.combine(bytes: $0) } }
}

extension EncryptedValue: CustomStringConvertible {
    /// As documents hold it.
    public var description: String {
        "\(Self.prefix)\(keyID):" + String(decoding: Base64URL.encoded(salt + commitment + ciphertext + tag), as: UTF8.self)
    }
}

/// Why a text is not an encrypted value.
public enum TokenProblem: Error, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// It does not start with `enc:v`, a number and a colon.
    case notEncrypted
    /// It is of a version that this Plue does not know.
    case unknownVersion
    /// What follows `enc:v1:` is not the name of a key.
    case invalidKeyID
    /// Characters that no base64url has, or that do not end as it does.
    case invalidBase64
    /// A part is missing: its length is that of no value.
    case truncated
    case tooLong

    /// One sentence with the way out.
    public var description: String {
        switch self {
        case .notEncrypted: "it is not an encrypted value; encrypt it with 'plue secret encrypt'"
        case .unknownVersion: "it was encrypted by a newer Plue; use that Plue, or encrypt it again with this one"
        case .invalidKeyID: "'enc:v1:' has to be followed by a key's name, 'k' and ten hex digits; copy the value whole"
        case .invalidBase64: "it holds characters that no encrypted value has, or was cut; copy the value whole"
        case .truncated: "a part of it is missing; copy the value whole"
        case .tooLong: "it is longer than an encrypted value can be, which holds at most 64 KiB of text"
        }
    }
}
