import Crypto

/// What a set of documents is called by: the same name for the same bytes, on every machine and in every release.
public enum DocumentDigest {
    /// `sha256:` and 64 lower-case hex digits over the environment's name and the documents.
    ///
    /// The order of `documents` does not matter: they are taken by name, bytewise (and by bytes where names are equal).
    /// Each part stands behind its length as a big-endian `u32`, so that no byte can move from one part into its
    /// neighbour without changing the digest:
    /// ```
    /// SHA-256( lp(environment) ‖ lp(name 1) ‖ lp(bytes 1) ‖ lp(name 2) ‖ … )
    /// ```
    public static func of(_ documents: [StoredDocument], in environment: EnvironmentName) -> String {
        var hash = SHA256()
        hash.update(part: environment.rawValue.utf8)
        for document in documents.sorted(by: bytewise) {
            hash.update(part: document.name.utf8)
            hash.update(part: document.bytes)
        }
        return "sha256:" + hash.finalize().map(hex).joined()
    }

    private static func bytewise(_ left: StoredDocument, _ right: StoredDocument) -> Bool {
        // String's own `<` follows Unicode's canonical order, in which two different byte sequences can be equal.
        if left.name.utf8.elementsEqual(right.name.utf8) { return left.bytes.lexicographicallyPrecedes(right.bytes) }
        return left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
    }

    private static func hex(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}

extension SHA256 {
    fileprivate mutating func update(part: some Collection<UInt8>) {
        // A document is at most 16 MiB (§3); clamping only keeps an impossible size from trapping.
        let length = UInt32(clamping: part.count)
        withUnsafeBytes(of: length.bigEndian) { update(bufferPointer: $0) }
        let bytes = ContiguousArray(part)
        bytes.withUnsafeBytes { update(bufferPointer: $0) }
    }
}
