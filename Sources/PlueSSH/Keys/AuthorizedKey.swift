import Foundation
import PlueConfig

/// A key that may log in: one line of an `authorized_keys` file.
struct AuthorizedKey: Hashable, Sendable {
    /// The public key as RFC 4253 writes it, in base64.
    let blob: String
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    let fingerprint: String
    let comment: String
    var role = Role.viewer
    /// Where the client has to come from; anywhere when empty.
    var sources: [AddressPattern] = []
    /// From then on it opens nothing.
    var expiry: Date?
    var mayHaveTerminal = true

    /// Who history and audit say it was: `ssh:ada@laptop`, or `ssh:SHA256:…` for a key without a comment.
    var actor: String { "ssh:\(comment.isEmpty ? fingerprint : comment)" }

    /// Whether it opens the door for a client from this address, now.
    func admits(from address: IPAddress?, at time: Date) -> Bool {
        if let expiry, time >= expiry { return false }
        if sources.isEmpty { return true }
        guard let address else { return false }
        var isMatched = false
        for source in sources where source.matches(address) {
            // As in sshd: a negated pattern that matches decides, wherever it stands.
            if source.isNegated { return false }
            isMatched = true
        }
        return isMatched
    }
}
