/// Which documents a candidate consists of, in the order they were given: pairs of a name's and a document's row id.
///
/// Packed into one value of the attempt's row as LEB128 numbers: a version of twenty documents costs about 80 bytes and no
/// rows of its own. (A content-addressed table of manifests was weighed: nearly every manifest is used once, and its digest
/// and index alone would be larger than this.)
struct Tree: Hashable {
    struct Leaf: Hashable {
        var name: Int64
        var document: Int64
    }

    var leaves: [Leaf] = []

    var packed: [UInt8] {
        var bytes: [UInt8] = []
        for leaf in leaves {
            for number in [leaf.name, leaf.document] {
                var rest = UInt64(bitPattern: number)
                while rest >= 0x80 {
                    bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                    rest >>= 7
                }
                bytes.append(UInt8(rest))
            }
        }
        return bytes
    }

    init() {}

    /// `nil` for bytes that ``packed`` did not make.
    init?(packed bytes: some Sequence<UInt8>) {
        var numbers: [Int64] = []
        var number: UInt64 = 0
        var shift: UInt64 = 0
        for byte in bytes {
            guard shift < 64 else { return nil }
            number |= UInt64(byte & 0x7f) << shift
            shift += 7
            if byte & 0x80 == 0 {
                numbers.append(Int64(bitPattern: number))
                number = 0
                shift = 0
            }
        }
        guard shift == 0, numbers.count.isMultiple(of: 2) else { return nil }
        leaves = stride(from: 0, to: numbers.count, by: 2).map { Leaf(name: numbers[$0], document: numbers[$0 + 1]) }
    }
}
