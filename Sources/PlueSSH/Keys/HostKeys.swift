import CLibSSH
import Foundation
import PlueConfig
import SystemPackage

/// The keys a server proves itself with, and the algorithms it offers, as libssh keeps both for new sessions.
///
/// - Unchecked, because libssh's `ssh_bind` is a pointer: it is complete before anybody else has it, is then used by the loop's
///   thread alone, in ``admit(_:to:)``, and freed when nobody has it any more.
final class HostKeys: @unchecked Sendable {
    private let bind: ssh_bind
    /// Type and fingerprint of each.
    let descriptions: [KeyDescription]

    /// Nothing that makes the server compute for long (finite-field groups), that is weak (SHA-1, CBC), or that a client of this
    /// decade does not need.
    private enum Algorithms {
        static let exchange = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521"
        static let ciphers = "aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes128-ctr"
        static let macs = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512"
        static let host = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256"
        static let login = host
        static let rsaBits: Int32 = 2048
    }

    private init(_ keys: [(file: FilePath, key: ImportedKey)]) throws(ServiceRefusal) {
        guard let bind = ssh_bind_new() else { throw ServiceRefusal("libssh has no memory for a server") }
        var descriptions: [KeyDescription] = []
        do throws(ServiceRefusal) {
            try Self.configure(bind)
            for (file, key) in keys {
                guard let description = KeyDescription(key.pointer) else {
                    throw ServiceRefusal("the host key \(file) has no public part")
                }
                if let other = zip(keys, descriptions).first(where: { $1.family == description.family }) {
                    throw ServiceRefusal(
                        "the host keys \(other.0.file) and \(file) are both of type \(description.family): there may be one of each")
                }
                guard plue_ssh_bind_take_key(bind, key.pointer) == SSH_OK else {
                    throw ServiceRefusal(
                        "the host key \(file) is not accepted: it has to be ed25519, ecdsa, or rsa with \(Algorithms.rsaBits) bits or more")
                }
                key.isTaken = true
                descriptions.append(description)
            }
        } catch {
            ssh_bind_free(bind)
            throw error
        }
        self.bind = bind
        self.descriptions = descriptions
    }

    deinit { ssh_bind_free(bind) }

    private static func configure(_ bind: ssh_bind) throws(ServiceRefusal) {
        let options = [
            (SSH_BIND_OPTIONS_BANNER, "Plue"), (SSH_BIND_OPTIONS_KEY_EXCHANGE, Algorithms.exchange),
            (SSH_BIND_OPTIONS_CIPHERS_C_S, Algorithms.ciphers), (SSH_BIND_OPTIONS_CIPHERS_S_C, Algorithms.ciphers),
            (SSH_BIND_OPTIONS_HMAC_C_S, Algorithms.macs), (SSH_BIND_OPTIONS_HMAC_S_C, Algorithms.macs),
            (SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, Algorithms.host), (SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, Algorithms.login),
        ]
        guard plue_ssh_bind_ignore_configuration(bind) == SSH_OK, plue_ssh_bind_set_rsa_minimum(bind, Algorithms.rsaBits) == SSH_OK,
            options.allSatisfy({ plue_ssh_bind_set_string(bind, $0, $1) == SSH_OK })
        else { throw ServiceRefusal("this libssh has none of the algorithms that the SSH server offers") }
    }

    /// Loads the keys a server names, or the one in its state directory. Blocks.
    static func load(_ settings: SSHServerSettings) throws(ServiceRefusal) -> HostKeys {
        let files = settings.hostKeys.isEmpty ? [try HostKeyFile.find(in: settings.stateDirectory)] : settings.hostKeys
        var keys: [(file: FilePath, key: ImportedKey)] = []
        for file in files {
            var bytes = try file.load("the host key", mode: .private)
            defer { _ = bytes.withUnsafeMutableBytes { $0.initializeMemory(as: UInt8.self, repeating: 0) } }
            guard let key = ImportedKey(bytes) else {
                throw ServiceRefusal("the host key \(file.path) is not a private key in OpenSSH's or PEM form without a passphrase")
            }
            keys.append((file.path, key))
        }
        return try HostKeys(keys)
    }

    /// Gives an accepted connection to a session, which has the descriptor then. Thread of the loop only.
    func admit(_ descriptor: Int32, to session: ssh_session) -> Bool { ssh_bind_accept_fd(bind, session, descriptor) == SSH_OK }
}

extension KeyDescription {
    /// Of which libssh has room for one each.
    fileprivate var family: String { type.hasPrefix("ecdsa") ? "ecdsa" : type }
}

/// A private key as libssh has it, until a bind takes it.
private final class ImportedKey {
    let pointer: ssh_key
    var isTaken = false

    init?(_ bytes: [UInt8]) {
        guard !bytes.contains(0) else { return nil }
        var key: ssh_key?
        var text = bytes.map { CChar(bitPattern: $0) } + [0]
        defer { _ = text.withUnsafeMutableBytes { $0.initializeMemory(as: UInt8.self, repeating: 0) } }
        // Without somebody to ask, OpenSSL would ask for an encrypted key's passphrase on the terminal, and wait.
        let refuse: ssh_auth_callback = { _, _, _, _, _, _ in -1 }
        guard ssh_pki_import_privkey_base64(&text, nil, refuse, nil, &key) == SSH_OK, let key else { return nil }
        pointer = key
    }

    deinit { if !isTaken { ssh_key_free(pointer) } }
}
