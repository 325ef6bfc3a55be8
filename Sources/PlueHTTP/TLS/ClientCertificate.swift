public import Foundation
import NIOSSL

/// The certificate that a client proved to have: of the authority that the server asks for, and for what clients do.
public struct ClientCertificate: Hashable, Sendable {
    /// What it is for: host names, e-mail addresses and URIs as they stand in it (RFC 5280 §4.2.1.6), and its subject's common name
    /// as `CN=…`.
    public let names: [String]
    /// When it ends to be valid; a connection may last longer.
    public let notAfter: Date

    init(_ certificate: NIOSSLCertificate) {
        var names: [String] = []
        for name in certificate._subjectAlternativeNames() {
            switch name.nameType {
            case .dnsName, .email, .uri: names.append(String(decoding: Array(name.contents), as: UTF8.self))
            default: continue
            }
        }
        if let common = (try? certificate.toDERBytes()).flatMap(DistinguishedNames.init(der:))?.commonName { names.append("CN=\(common)") }
        self.names = names
        notAfter = Date(timeIntervalSince1970: TimeInterval(certificate.notValidAfter))
    }
}
