import NIOCore
import NIOSSL
import PlueConfig
import Synchronization

/// How one connection is secured, and by whose certificate.
final class ConnectionSecurity: Sendable {
    let isSecure: Bool
    /// Against whose certificates the client's was held in the handshake.
    private let authority: WatchedFile?
    /// Looked at once: a connection's certificate does not change.
    private let found = Mutex<ClientCertificate??>(nil)

    init(_ identity: TLSIdentity?) {
        isSecure = identity != nil
        authority = identity?.files.clientAuthority
    }

    /// The client's certificate; `nil` when it showed none, or one of an authority that does not count any more.
    func certificate(of channel: any Channel, under terms: Terms) async -> ClientCertificate? {
        guard let authority, terms.identity?.files.clientAuthority == authority else { return nil }
        if let found = found.withLock({ $0 }) { return found }
        let certificate = (try? await channel.nioSSL_peerCertificate().get()).flatMap(\.self).map(ClientCertificate.init)
        found.withLock { $0 = .some(certificate) }
        return certificate
    }
}
