import Foundation
import NIOCore
import NIOSSL
public import PlueConfig

/// A certificate chain with its private key, loaded and found to belong together: what a listener proves its name with.
public struct TLSIdentity: Sendable {
    /// The server's own certificate, the first of the chain.
    public let certificate: TLSCertificate
    /// What it was loaded from.
    let files: HTTPServerSettings.TLS
    private let context: NIOSSLContext

    /// A peer that does not answer a goodbye is given up after this.
    private static let shutdownTimeout: TimeAmount = .seconds(2)

    /// Loads a pair. Whether the certificate is valid today is not looked at: see ``TLSCertificate/notAfter``.
    /// - Throws: `ServiceRefusal` naming the file that is wrong, without a byte of the key.
    public init(_ files: HTTPServerSettings.TLS) throws(ServiceRefusal) {
        certificate = try TLSCertificate(files.certificate)
        self.files = files
        let key = try Self.key(files.privateKey)
        let authorities = try files.clientAuthority.map(Self.authorities)
        do {
            context = try Self.context(certificate.chain, key, authorities)
        } catch {
            let owner = certificate.chain.dropFirst().firstIndex { (try? Self.context([$0], key)) != nil }
            throw ServiceRefusal(
                "the private key in \(files.privateKey.path) does not belong to the \(owner == nil ? "" : "first ")certificate in \(files.certificate.path)"
                    + (owner.map { " but to number \($0 + 1); the server's own has to be the first" } ?? ""))
        }
    }

    private static func key(_ file: WatchedFile) throws(ServiceRefusal) -> NIOSSLPrivateKey {
        let key = file.content.withExposed { bytes in
            bytes.isEmpty || isEncrypted(bytes) ? nil : try? NIOSSLPrivateKey(bytes: bytes, format: .pem)
        }
        if let key { return key }
        guard file.content.withExposed({ isEncrypted($0) }) else {
            throw ServiceRefusal("\(file.path) holds no private key in PEM form")
        }
        throw ServiceRefusal(
            "the private key in \(file.path) is encrypted, and there is nobody to ask for its passphrase; decrypt it with 'openssl pkey'")
    }

    private static func authorities(_ file: WatchedFile) throws(ServiceRefusal) -> [NIOSSLCertificate] {
        let authorities = file.content.withExposed { $0.isEmpty ? nil : try? NIOSSLCertificate.fromPEMBytes($0) } ?? []
        guard !authorities.isEmpty else { throw ServiceRefusal("\(file.path) holds no certificates in PEM form") }
        return authorities
    }

    /// Whether a PEM file says that its key is (RFC 7468 §11, RFC 1421 §4.6.1.1).
    private static func isEncrypted(_ bytes: [UInt8]) -> Bool {
        bytes.contains("BEGIN ENCRYPTED PRIVATE KEY".utf8) || bytes.contains("Proc-Type: 4,ENCRYPTED".utf8)
    }

    private static func context(
        _ chain: [NIOSSLCertificate], _ key: NIOSSLPrivateKey, _ clientAuthorities: [NIOSSLCertificate]? = nil
    ) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        // Of TLS 1.2 only what has forward secrecy and authenticates what it encrypts, as TLS 1.3 always does (RFC 9325 §4.2).
        configuration.cipherSuiteValues = [
            .TLS_AES_128_GCM_SHA256, .TLS_AES_256_GCM_SHA384, .TLS_CHACHA20_POLY1305_SHA256,
            .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ]
        configuration.applicationProtocols = ["http/1.1"]
        if let clientAuthorities {
            // Whoever shows none goes on without; one that is not of these authorities, or not valid, ends the handshake.
            configuration.certificateVerification = .optionalVerification
            configuration.trustRoots = .certificates(clientAuthorities)
        }
        configuration.shutdownTimeout = shutdownTimeout
        return try NIOSSLContext(configuration: configuration)
    }

    /// The server's end of the handshake, for one connection.
    func makeHandler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: context) }
}
