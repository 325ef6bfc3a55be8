import CLibSSH

/// What a key is called, copied out of libssh.
struct KeyDescription: Hashable, Sendable {
    /// `ssh-ed25519`.
    let type: String
    /// The public key as RFC 4253 writes it, in base64.
    let blob: String
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    let fingerprint: String

    /// - Parameter key: A key with a public part.
    init?(_ key: ssh_key) {
        guard let name = ssh_key_type_to_char(ssh_key_type(key)) else { return nil }
        type = String(cString: name)
        var text: UnsafeMutablePointer<CChar>?
        guard ssh_pki_export_pubkey_base64(key, &text) == SSH_OK, let text else { return nil }
        defer { ssh_string_free_char(text) }
        blob = String(cString: text)
        var hash: UnsafeMutablePointer<UInt8>?
        var length = 0
        guard ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &length) == SSH_OK, hash != nil else { return nil }
        defer { ssh_clean_pubkey_hash(&hash) }
        guard let printed = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, length) else { return nil }
        defer { ssh_string_free_char(printed) }
        fingerprint = String(cString: printed)
    }
}
