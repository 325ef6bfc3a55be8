import Crypto
import Foundation

/// The roots a log had at certain sizes, found in one pass over its leaves (RFC 6962, §2.1).
struct MerkleRoots {
    private(set) var size = 0
    /// Full subtrees still to be completed, by their height.
    private var waiting: [Int: SHA256Digest] = [:]

    static func leaf(_ entry: [UInt8]) -> SHA256Digest {
        var hash = SHA256()
        hash.update(data: [0])
        hash.update(data: entry)
        return hash.finalize()
    }

    mutating func append(_ leaf: SHA256Digest) {
        var (node, height) = (leaf, 0)
        while let left = waiting.removeValue(forKey: height) {
            node = Self.node(left, node)
            height += 1
        }
        waiting[height] = node
        size += 1
    }

    /// The root over what has been appended so far.
    var root: [UInt8] {
        let heights = waiting.keys.sorted()
        guard let lowest = heights.first, var root = waiting[lowest] else { return Array(SHA256.hash(data: Data())) }
        for height in heights.dropFirst() {
            if let left = waiting[height] { root = Self.node(left, root) }
        }
        return Array(root)
    }

    /// What the writer keeps of the tree, in its form: the subtrees from the largest.
    var frontier: [UInt8] { waiting.keys.sorted(by: >).compactMap { waiting[$0] }.flatMap { Array($0) } }

    private static func node(_ left: SHA256Digest, _ right: SHA256Digest) -> SHA256Digest {
        var hash = SHA256()
        hash.update(data: [1])
        left.withUnsafeBytes { hash.update(bufferPointer: $0) }
        right.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return hash.finalize()
    }
}
