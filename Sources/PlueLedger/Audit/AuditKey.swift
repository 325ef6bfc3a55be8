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

    /// Reads the key of a state directory, or makes it.
    static func inside(_ directory: FilePath) throws -> AuditKey {
        let path = directory.appending("audit.key")
        if let text = try? String(contentsOfFile: path.string, encoding: .utf8) {
            guard let key = AuditKey(text: text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
                throw LedgerError.corrupt(path, reason: "it is not an audit key")
            }
            return key
        }
        let name = "plue-" + (0..<8).map { _ in hex(UInt8.random(in: .min ... .max)) }.joined()
        let key = AuditKey(name: name, key: Curve25519.Signing.PrivateKey())
        try write(key.text, to: path, .ownerReadWrite)
        try write(key.verifier, to: directory.appending("audit.pub"), [.ownerReadWrite, .groupRead, .otherRead])
        return key
    }

    private static func write(_ text: String, to path: FilePath, _ permissions: FilePermissions) throws {
        do {
            let file = try FileDescriptor.open(path, .writeOnly, options: [.create, .truncate], permissions: permissions)
            _ = try file.closeAfter { try file.writeAll(Array((text + "\n").utf8)) }
        } catch let error as Errno {
            throw LedgerError(errno: error.rawValue, at: path)
        }
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

    private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}
