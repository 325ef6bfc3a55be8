/// Base64 of the URL alphabet without padding (RFC 4648 §5), in its canonical form alone: every text stands for other bytes.
///
/// Foundation's decoder takes what is not canonical, and both make `String`s and `Data` of keys that nobody erases.
enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// What a digit stands for; 64 for what is no digit.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 64, count: 256)
        for (value, digit) in alphabet.enumerated() { values[Int(digit)] = UInt8(value) }
        return values
    }()

    static func encoded(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var digits: [UInt8] = []
        var pending: UInt32 = 0
        var bits = 0
        for byte in bytes {
            pending = (pending << 8 | UInt32(byte)) & 0xFFFF
            bits += 8
            while bits >= 6 {
                bits -= 6
                digits.append(alphabet[Int(pending >> UInt32(bits)) & 63])
            }
        }
        if bits > 0 { digits.append(alphabet[Int(pending << UInt32(6 - bits)) & 63]) }
        return digits
    }

    /// The bytes; `nil` when there is anything but digits, or more bits than the last byte needs that are not zero.
    static func decoded(_ digits: some Collection<UInt8>) -> [UInt8]? {
        let values = values
        var isCanonical = false
        // Four digits are three bytes, and up to three more at the end are two at most.
        let bytes = [UInt8](unsafeUninitializedCapacity: digits.count / 4 * 3 + 2) { bytes, count in
            var pending: UInt32 = 0
            var bits = 0
            for digit in digits {
                let value = values[Int(digit)]
                guard value < 64 else { return }
                pending = (pending << 6 | UInt32(value)) & 0xFFFF
                bits += 6
                if bits >= 8 {
                    bits -= 8
                    bytes.initializeElement(at: count, to: UInt8(truncatingIfNeeded: pending >> UInt32(bits)))
                    count += 1
                }
            }
            // A lone digit at the end stands for no byte.
            isCanonical = bits < 6 && pending & (1 << UInt32(bits) - 1) == 0
        }
        return isCanonical ? bytes : nil
    }
}
