import Crypto
import Foundation

/// The right edge of a Merkle tree after RFC 6962, §2.1: all that is needed to append to it and to know its root.
struct MerkleFrontier: Hashable {
    private(set) var size = 0
    /// The roots of the full subtrees that the leaves make up, the largest first: one for each 1 in the size's binary form.
    private(set) var subtrees: [[UInt8]] = []

    init() {}

    /// `nil` for what ``packed`` did not make.
    init?(size: Int, packed: Data) {
        guard size >= 0, packed.count == size.nonzeroBitCount * 32 else { return nil }
        self.size = size
        let bytes = Array(packed)
        subtrees = stride(from: 0, to: bytes.count, by: 32).map { Array(bytes[$0..<($0 + 32)]) }
    }

    var packed: Data { Data(subtrees.joined()) }

    static func leaf(_ entry: String) -> [UInt8] { hash(0, Array(entry.utf8), []) }

    mutating func append(_ leaf: [UInt8]) {
        var hash = leaf
        // Each 1 at the low end of the size is a full subtree that the new one completes into a larger one.
        var rest = size
        while rest & 1 == 1, let left = subtrees.popLast() {
            hash = Self.hash(1, left, hash)
            rest >>= 1
        }
        subtrees.append(hash)
        size += 1
    }

    var root: [UInt8] {
        guard var root = subtrees.last else { return Array(SHA256.hash(data: [])) }
        for left in subtrees.dropLast().reversed() { root = Self.hash(1, left, root) }
        return root
    }

    private static func hash(_ prefix: UInt8, _ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: [prefix] + left + right))
    }
}
