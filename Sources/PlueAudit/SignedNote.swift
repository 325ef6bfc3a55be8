import Crypto
import Foundation

/// A public key as C2SP writes it: `name+1a2b3c4d+AZ…`.
public struct VerifierKey: Hashable, Sendable {
    /// The installation's name, which its checkpoints are headed by.
    public let name: String
    /// What is signed, its last newline included.
    public let text: String
    let id: [UInt8]
    private let publicKey: Data

    /// `nil` for anything else, and for a key whose id is not its own.
    public init?(_ text: some StringProtocol) {
        let parts = text.trimmingCharacters(in: .whitespacesAndNewlines).split(
            separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, let bytes = Data(base64Encoded: String(parts[2])), bytes.count == 33, bytes.first == 1
        else { return nil }
        name = String(parts[0])
        self.text = parts.joined(separator: "+")
        id = Array(SHA256.hash(data: Data(name.utf8) + Data("\n".utf8) + bytes).prefix(4))
        publicKey = Data(bytes.dropFirst())
        guard parts[1] == id.map({ ($0 < 16 ? "0" : "") + String($0, radix: 16) }).joined() else { return nil }
    }

    func verifies(_ signature: Data, of message: Data) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        return key.isValidSignature(signature, for: message)
    }
}

/// A signed statement of what the log held: so many entries, with this root. C2SP's tlog-checkpoint.
public struct Checkpoint: Hashable, Sendable {
    /// The origin: which log it is of.
    public let name: String
    /// How many entries the tree has.
    public let size: Int
    let root: [UInt8]
    /// As it was written, with its signatures.
    public let text: String
    private let body: Data
    private let signatures: [Signature]

    private struct Signature: Hashable {
        let name: String
        let id: [UInt8]
        let bytes: Data
    }

    /// Whether a key vouches for a checkpoint.
    enum Standing { case signed, otherKey, forged }

    /// No note of ours is a tenth as long, and none has more signatures than its witnesses'.
    private static let longest = 4096
    private static let mostSignatures = 8

    /// Reads one note; `nil` for what is none.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count <= Self.longest else { return nil }
        let text = String(text)
        guard let gap = text.range(of: "\n\n") else { return nil }
        let body = text[..<gap.lowerBound] + "\n"
        let lines = body.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 4, lines[3].isEmpty, !lines[0].isEmpty, let size = Int(lines[1]), size >= 0, String(size) == lines[1],
            let root = Data(base64Encoded: String(lines[2])), root.count == 32
        else { return nil }
        name = String(lines[0])
        self.size = size
        self.root = Array(root)
        self.text = text
        self.body = Data(body.utf8)
        let lower = text[gap.upperBound...].split(separator: "\n")
        guard lower.count <= Self.mostSignatures else { return nil }
        signatures = lower.compactMap { line in
            let parts = line.split(separator: " ")
            guard parts.count == 3, parts[0] == "—", let bytes = Data(base64Encoded: String(parts[2])), bytes.count == 68 else {
                return nil
            }
            return Signature(name: String(parts[1]), id: Array(bytes.prefix(4)), bytes: bytes.dropFirst(4))
        }
    }

    /// Reads all notes of a file they were appended to, each followed by an empty line; anything else in it is passed over.
    public static func all(in text: String) -> [Checkpoint] {
        let paragraphs = text.split(separator: "\n\n", omittingEmptySubsequences: true).map { $0.drop { $0 == "\n" } }
        // A body and its signatures are two paragraphs.
        return zip(paragraphs, paragraphs.dropFirst()).compactMap { body, signatures in
            Checkpoint(body + "\n\n" + signatures + "\n").flatMap { $0.signatures.isEmpty ? nil : $0 }
        }
    }

    func standing(under key: VerifierKey) -> Standing {
        let own = signatures.filter { $0.id == key.id && $0.name == key.name }
        guard name == key.name, !own.isEmpty else { return .otherKey }
        return own.contains { key.verifies($0.bytes, of: body) } ? .signed : .forged
    }
}
