import Crypto
import Foundation
import SystemPackage

/// The key that checkpoints are signed with: Ed25519, made with the state directory, 0600.
///
/// The public half stands in `audit.pub` as a C2SP verifier key; whoever keeps a copy of it elsewhere can tell when it was exchanged.
struct AuditKey: Sendable {
    /// `plue-3f2a9c11d0e45b67`: this installation, and the origin its checkpoints name.
    let name: String
    private let key: Curve25519.Signing.PrivateKey
    private let id: [UInt8]

    /// Ed25519, in the registry of C2SP's signed-note.
    private static let algorithm: UInt8 = 1

    /// Reads the key of a state directory. Makes one only where there is none and nothing was signed yet: a second key would make
    /// everything that was signed before look like somebody else's.
    /// - Parameter isNew: Whether the log has no entry yet.
    static func inside(_ directory: FilePath, isNew: Bool) throws(LedgerError) -> AuditKey {
        let path = directory.appending("audit.key")
        let published = directory.appending("audit.pub")
        let key: AuditKey
        if let bytes = try StateFile.read(path, limit: 4096) {
            guard let read = AuditKey(text: trimmed(bytes)) else { throw .auditKey(path, reason: "is not an audit key") }
            key = read
        } else {
            guard isNew else { throw .auditKey(path, reason: "is gone") }
            key = AuditKey()
            try StateFile.write(Array((key.text + "\n").utf8), to: path, mode: 0o600)
        }
        switch try StateFile.read(published, limit: 4096).map(trimmed) {
        case key.verifier?: break
        // As a process that was killed between the two leaves it.
        case nil: try StateFile.write(Array((key.verifier + "\n").utf8), to: published, mode: 0o644)
        case _? where isNew: try StateFile.write(Array((key.verifier + "\n").utf8), to: published, mode: 0o644)
        case _?: throw .auditKey(path, reason: "does not belong to \(published)")
        }
        return key
    }

    private static func trimmed(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private init() {
        self.init(
            name: "plue-" + (0..<8).map { _ in Self.hex(UInt8.random(in: .min ... .max)) }.joined(), key: Curve25519.Signing.PrivateKey())
    }

    private init(name: String, key: Curve25519.Signing.PrivateKey) {
        self.name = name
        self.key = key
        let bytes = Array((name + "\n").utf8) + [Self.algorithm] + key.publicKey.rawRepresentation
        id = Array(SHA256.hash(data: bytes).prefix(4))
    }

    private init?(text: String) {
        let parts = text.split(separator: "+", omittingEmptySubsequences: false)
        guard parts.count >= 5, parts[0] == "PRIVATE", parts[1] == "KEY",
            let bytes = Data(base64Encoded: parts[4...].joined(separator: "+")), bytes.first == Self.algorithm, bytes.count == 33,
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes.dropFirst())
        else { return nil }
        self.init(name: String(parts[2]), key: key)
        guard parts[3] == id.map(Self.hex).joined() else { return nil }
    }

    private var text: String {
        let bytes = Data([Self.algorithm] + key.rawRepresentation).base64EncodedString()
        return "PRIVATE+KEY+\(name)+\(id.map(Self.hex).joined())+\(bytes)"
    }

    /// The public half: `plue-3f2a…+1a2b3c4d+AZ…`.
    var verifier: String {
        "\(name)+\(id.map(Self.hex).joined())+\(Data([Self.algorithm] + key.publicKey.rawRepresentation).base64EncodedString())"
    }

    /// A checkpoint in the form of C2SP's tlog-checkpoint, signed.
    func checkpoint(_ tree: MerkleFrontier) throws -> String {
        let body = "\(name)\n\(tree.size)\n\(Data(tree.root).base64EncodedString())\n"
        let signature = try key.signature(for: Data(body.utf8))
        return body + "\n— \(name) \((Data(id) + signature).base64EncodedString())\n"
    }

    /// What a note says that this key signed, in the one form that ``checkpoint(_:)`` gives it; `nil` for any other.
    func read(_ note: some StringProtocol) -> (size: Int, root: [UInt8])? {
        let lines = note.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 5, lines[0] == name, lines[3].isEmpty, let size = Int(lines[1]),
            let root = Data(base64Encoded: String(lines[2])),
            let signature = lines[4].split(separator: " ").last.flatMap({ Data(base64Encoded: String($0)) }), signature.count == 68,
            key.publicKey.isValidSignature(signature.dropFirst(4), for: Data((lines[..<3].joined(separator: "\n") + "\n").utf8))
        else { return nil }
        return (size, Array(root))
    }

    private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}
