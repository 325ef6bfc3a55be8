import Crypto
import Foundation

/// What a candidate's row says, as one hash; the form is described in Documentation/audit.md.
struct RecordHash {
    /// Those that are hashed, in this order.
    static let columns = """
        id, version, parent, triggered_by, actor, reason, at, duration_ns, phase, outcome, problem, digest, environment, changed_keys,
        services, diagnostics, tree, replaced, written, fallback
        """
    static let count: Int32 = 20
    static let version: Int32 = 1
    static let outcome: Int32 = 9

    private let names: [Int64: [UInt8]]
    private let digests: [Int64: [UInt8]]
    private(set) var usedDocuments: Set<Int64> = []
    private(set) var usedNames: Set<Int64> = []

    init(names: [Int64: [UInt8]], digests: [Int64: [UInt8]]) {
        self.names = names
        self.digests = digests
    }

    /// In hex; `nil` for a row that holds what no Plue writes.
    mutating func of(_ row: EvidenceDatabase.Row) -> String? {
        var parts = Parts()
        for column in 0..<Self.count {
            if row.isNull(column) {
                parts.addNothing()
                continue
            }
            switch column {
            case 0, 1, 2, 7, 19:
                guard let number = row.integer(column) else { return nil }
                parts.add(Array(String(number).utf8))
            case 6:
                guard let at = row.double(column) else { return nil }
                parts.add(Array(String(at.bitPattern, radix: 16).utf8))
            case 16, 17, 18:
                guard let packed = row.blob(column), add(packed, &parts) else { return nil }
            default:
                guard let text = row.text(column) else { return nil }
                parts.add(text)
            }
        }
        return parts.digest
    }

    /// A list of documents: LEB128 numbers in pairs, a name's and a document's id, 0 for no document.
    private mutating func add(_ packed: [UInt8], _ parts: inout Parts) -> Bool {
        var numbers: [Int64] = []
        var (number, shift) = (UInt64(0), UInt64(0))
        for byte in packed {
            guard shift < 64 else { return false }
            number |= UInt64(byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 {
                numbers.append(Int64(bitPattern: number))
                (number, shift) = (0, 0)
            }
        }
        guard shift == 0, numbers.count % 2 == 0 else { return false }
        parts.add(Array(String(numbers.count / 2).utf8))
        for index in stride(from: 0, to: numbers.count, by: 2) {
            guard let name = names[numbers[index]] else { return false }
            usedNames.insert(numbers[index])
            parts.add(name)
            let document = numbers[index + 1]
            if document == 0 {
                parts.addNothing()
            } else {
                guard let digest = digests[document] else { return false }
                usedDocuments.insert(document)
                parts.add(digest)
            }
        }
        return true
    }

    /// Each part behind its length, so that none can run into the next.
    struct Parts {
        private var hash = SHA256()

        mutating func add(_ bytes: [UInt8]) {
            let length = UInt32(clamping: bytes.count)
            hash.update(data: [
                UInt8(truncatingIfNeeded: length >> 24), UInt8(truncatingIfNeeded: length >> 16), UInt8(truncatingIfNeeded: length >> 8),
                UInt8(truncatingIfNeeded: length),
            ])
            hash.update(data: bytes)
        }

        mutating func addNothing() { hash.update(data: [0xFF, 0xFF, 0xFF, 0xFF]) }

        var digest: String { hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
    }
}
