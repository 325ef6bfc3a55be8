import Foundation
import PlueConfig
import PlueHTTP
import Synchronization

/// The clients that `[security.client.NAME]` knows by a certificate.
final class CertifiedClients: Sendable {
    private struct Client {
        let name: String
        let settings: ClientSettings
        let grant: Grant
    }

    private let clients = Mutex<[Client]>([])

    /// Takes over who is known; what somebody has under way who is not any more, or not as that, ends.
    func follow(_ settings: [String: ClientSettings]) {
        let ended = clients.withLock { clients in
            let old = Dictionary(clients.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
            clients = settings.sorted { $0.key < $1.key }.map { name, settings in
                if let known = old[name], known.settings.isSame(as: settings) { return known }
                return Client(name: name, settings: settings, grant: Grant())
            }
            let kept = Set(clients.map { ObjectIdentifier($0.grant) })
            return old.values.filter { !kept.contains(ObjectIdentifier($0.grant)) }
        }
        for client in ended { client.grant.end() }
    }

    /// Who shows a certificate; `nil` for nobody that is known.
    func requester(showing certificate: ClientCertificate, from address: String, at time: Date = Date()) -> Requester? {
        guard time < certificate.notAfter else { return nil }
        let client = clients.withLock { clients in clients.first { certificate.names.contains($0.settings.certificate) } }
        return client.map { client in
            Requester(
                actor: "mtls:\(client.name)", role: client.settings.role,
                scope: SectionScope(client.settings.sections.isEmpty ? nil : client.settings.sections), method: .certificate,
                address: address, grant: Grant(expires: certificate.notAfter, from: client.grant))
        }
    }
}

extension ClientSettings {
    fileprivate func isSame(as other: ClientSettings) -> Bool {
        certificate == other.certificate && role == other.role && sections == other.sections
    }
}
