import Crypto
import Foundation

/// The documents of a database, each built from its parts and held against what it is called by.
///
/// A document may stand on another one, up to sixteen deep. What was built is kept as far as there is room, and built again when it is
/// needed once more: a small file can describe more bytes than any memory has.
struct StoredDocuments {
    /// What makes a document wrong, after "document N".
    struct Problem: Error { let what: String }

    private let database: EvidenceDatabase
    private var built: [Int64: (bytes: [UInt8], depth: Int64)] = [:]
    /// In the order they were built.
    private var order: [Int64] = []
    private var oldest = 0
    private var bytesKept = 0

    private let mostKept: Int
    private static let deepest: Int64 = 16

    /// - Parameter mostKept: So many bytes of what was built are kept.
    init(_ database: EvidenceDatabase, mostKept: Int = 64 * 1_048_576) {
        self.database = database
        self.mostKept = mostKept
    }

    static let columns = "id, sha256, base, depth, head, tail, bytes"

    /// Looks at one row.
    /// - Returns: The document's id and digest.
    mutating func examine(_ row: EvidenceDatabase.Row) throws -> (id: Int64, digest: [UInt8]) {
        guard let id = row.integer(0), id >= 1, let digest = row.blob(1) else { throw Problem(what: "is not what was written") }
        let (bytes, depth) = try content(row, id)
        guard SHA256.hash(data: bytes).elementsEqual(digest) else { throw Problem(what: "\(id) is not what was written") }
        keep(bytes, depth, of: id)
        return (id, digest)
    }

    private mutating func content(_ row: EvidenceDatabase.Row, _ id: Int64) throws -> (bytes: [UInt8], depth: Int64) {
        guard let own = row.blob(6), let depth = row.integer(3), (0...Self.deepest).contains(depth) else {
            throw Problem(what: "\(id) is not what was written")
        }
        guard !row.isNull(2) else {
            guard depth == 0, row.isNull(4), row.isNull(5) else { throw Problem(what: "\(id) is not what was written") }
            return (own, depth)
        }
        guard let base = row.integer(2), base < id, let head = row.integer(4), let tail = row.integer(5), head >= 0, tail >= 0 else {
            throw Problem(what: "\(id) does not fit the one it is built on")
        }
        let below = try bytes(of: base, above: depth)
        guard head <= below.count, tail <= below.count - Int(head), Int(head) + Int(tail) + own.count <= EvidenceDatabase.longestValue
        else {
            throw Problem(what: "\(id) does not fit the one it is built on")
        }
        return (below[..<Int(head)] + own + below[(below.count - Int(tail))...], depth)
    }

    /// - Parameter depth: Of the one that is built on it. One whose own base was pruned stands by itself since, and is less deep than it was.
    private mutating func bytes(of id: Int64, above depth: Int64) throws -> [UInt8] {
        var found = built[id]
        if found == nil {
            try database.query("SELECT \(Self.columns) FROM document NOT INDEXED WHERE id = \(id)") { row in
                // Before it goes on down: so a chain comes to an end.
                guard let own = row.integer(3), own < depth else { throw Problem(what: "\(id) is not as deep as others say") }
                found = try content(row, id)
                return false
            }
            if let found { keep(found.bytes, found.depth, of: id) }
        }
        guard let found else { throw Problem(what: "\(id), which others are built on, is missing") }
        guard found.depth < depth else { throw Problem(what: "\(id) is not as deep as others say") }
        return found.bytes
    }

    private mutating func keep(_ bytes: [UInt8], _ depth: Int64, of id: Int64) {
        guard built.updateValue((bytes, depth), forKey: id) == nil else { return }
        order.append(id)
        bytesKept += bytes.count
        while bytesKept > mostKept, oldest < order.count - 1 {
            bytesKept -= built.removeValue(forKey: order[oldest])?.bytes.count ?? 0
            oldest += 1
        }
        if oldest > 10_000 {
            order.removeFirst(oldest)
            oldest = 0
        }
    }
}
