import CPlueSystem
import Crypto
import Foundation
import PlueConfig

/// The sealing and opening of one value with one key. Everything cryptographic about a value is in this file.
///
/// ```
/// blob                     = salt(24) ‖ commitment(32) ‖ ciphertext ‖ tag(16)
/// key(32) ‖ commitment(32) = HKDF-SHA256(data key, salt, info = lp("plue/value/v1", key id))
/// ciphertext ‖ tag         = AES-256-GCM(key, nonce 0, value ‖ 0x80 ‖ 00… to a multiple of 32,
///                                        aad = lp("plue/value/v1", key id, application, profile, section, key, type))
/// ```
/// The nonce may be zero because each salt makes a key that seals once. AES-GCM alone does not commit to its key: a ciphertext can be
/// made that opens under two of them, hence the commitment.
enum Sealing {
    static let label = "plue/value/v1"

    /// - Parameter salt: 24 bytes that were used for no other value.
    static func seal(
        _ plaintext: UnsafeRawBufferPointer, with key: DataKey, at place: ValuePlace, salt: [UInt8]
    ) throws(SealingError) -> EncryptedValue {
        guard plaintext.count <= EncryptedValue.longestPlaintext else { throw .tooLong }
        let derived = ValueKey(key, salt)
        var padded = padded(plaintext)
        defer { erase(&padded) }
        do {
            let box = try AES.GCM.seal(
                padded, using: derived.key, nonce: AES.GCM.Nonce(data: nonce), authenticating: place.authenticatedData(key.id))
            return EncryptedValue(
                keyID: key.id, salt: salt, commitment: derived.commitment, ciphertext: Array(box.ciphertext), tag: Array(box.tag))
        } catch {
            throw .unavailable
        }
    }

    /// - Throws: ``OpeningError/altered(_:)``, ``OpeningError/notForThisPlace(_:_:)``, ``OpeningError/notText(_:)``.
    static func open(_ value: EncryptedValue, with key: DataKey, at place: ValuePlace) throws(OpeningError) -> Secret<String> {
        let derived = ValueKey(key, value.salt)
        guard derived.commits(to: value.commitment) else { throw .altered(value.keyID) }
        var padded: Data
        do {
            let box = try AES.GCM.SealedBox(nonce: AES.GCM.Nonce(data: nonce), ciphertext: value.ciphertext, tag: value.tag)
            padded = try AES.GCM.open(box, using: derived.key, authenticating: place.authenticatedData(key.id))
        } catch {
            throw .notForThisPlace(value.keyID, place)
        }
        let secret = padded.withUnsafeMutableBytes { bytes in
            defer { plue_erase(bytes.baseAddress, bytes.count) }
            return unpadded(UnsafeRawBufferPointer(bytes)).flatMap { Secret<String>(utf8: $0) }
        }
        guard let secret else { throw .notText(value.keyID) }
        return secret
    }

    private static let nonce = [UInt8](repeating: 0, count: 12)

    /// Up to 32 bytes of padding, so that a ciphertext tells the length of its text only by 32.
    private static func padded(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        let block = EncryptedValue.blockCount
        let count = (text.count / block + 1) * block
        return [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
            bytes.initialize(repeating: 0)
            UnsafeMutableRawBufferPointer(bytes).copyMemory(from: text)
            bytes[text.count] = 0x80
            initialized = count
        }
    }

    /// `nil` unless the padding is what ``padded(_:)`` adds. It is authentic by then, so how long this takes tells nothing to anybody
    /// who could not seal values.
    static func unpadded(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard let end = bytes.lastIndex(where: { $0 != 0 }), bytes[end] == 0x80, bytes.count - end <= EncryptedValue.blockCount
        else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[..<end])
    }
}

/// The key of one value, and the commitment to it.
private struct ValueKey {
    let key: SymmetricKey
    let commitment: [UInt8]

    /// HKDF-SHA256 to 64 bytes, written as the two rounds that RFC 5869 §2.3 makes of it: both are keyed with the same extract, and
    /// the library's own would prepare that key anew for each. A candidate may have a thousand values to open.
    init(_ key: DataKey, _ salt: [UInt8]) {
        let extract = HKDF<SHA256>.extract(inputKeyMaterial: key.symmetricKey, salt: salt)
        let info = lengthPrefixed(Sealing.label, key.id.rawValue)
        let round = HMAC<SHA256>(key: SymmetricKey(data: extract))
        var first = round
        first.update(data: info + [1])
        let output = first.finalize()
        var second = round
        output.withUnsafeBytes { second.update(data: $0) }
        second.update(data: info + [2])
        self.key = SymmetricKey(data: output)
        commitment = Array(second.finalize())
    }

    /// In constant time.
    func commits(to other: [UInt8]) -> Bool {
        commitment.count == other.count && plue_is_equal(commitment, other, commitment.count) != 0
    }
}

/// Overwrites an array that is not shared.
func erase(_ bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes { plue_erase($0.baseAddress, $0.count) }
}
