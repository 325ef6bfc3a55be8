public import Foundation
import NIOSSL
public import PlueConfig

/// A certificate chain as a PEM file holds it, the server's own certificate first.
public struct TLSCertificate: Sendable {
    /// When the server's own certificate begins and ends to be valid.
    public let notBefore: Date
    /// When it expires.
    public let notAfter: Date
    /// The names and addresses that the server's own certificate is for, in the form in which it gives them: `*.example.org`, `::1`.
    public let names: [String]

    let chain: [NIOSSLCertificate]
    private let addresses: Set<[UInt8]>

    /// Reads a chain.
    /// - Throws: `ServiceRefusal` naming the file, when it holds no certificate or one that cannot be read.
    public init(_ file: WatchedFile) throws(ServiceRefusal) {
        let chain = file.content.withExposed { $0.isEmpty ? nil : try? NIOSSLCertificate.fromPEMBytes($0) } ?? []
        guard let own = chain.first else { throw ServiceRefusal("\(file.path) holds no certificate chain in PEM form") }
        self.chain = chain
        notBefore = Date(timeIntervalSince1970: TimeInterval(own.notValidBefore))
        notAfter = Date(timeIntervalSince1970: TimeInterval(own.notValidAfter))
        var (names, addresses): ([String], Set<[UInt8]>) = ([], [])
        // Not part of NIOSSL's public interface by its own rules, though public; there is no other way to the names but an X.509
        // parser of our own.
        for name in own._subjectAlternativeNames() {
            let bytes = Array(name.contents)
            switch name.nameType {
            case .dnsName: names.append(String(decoding: bytes, as: UTF8.self))
            case .ipAddress:
                addresses.insert(bytes)
                if let address = IPAddress(networkOrder: bytes) { names.append(address.description) }
            default: continue
            }
        }
        self.names = names
        self.addresses = addresses
    }

    /// Whether clients that call the server so will find that the certificate is for it (RFC 6125; the subject's common name does
    /// not count, as in every current client).
    public func covers(_ host: String) -> Bool {
        if let address = IPAddress(host) { return addresses.contains(address.bytes) }
        let host = Self.labels(host)
        return names.contains { name in
            let name = Self.labels(name)
            // A wildcard stands for one label, the leftmost.
            return name == host || name.first == "*" && name.count == host.count && name.count > 2 && name.dropFirst() == host.dropFirst()
        }
    }

    private static func labels(_ name: String) -> [Substring] {
        name.lowercased().split(separator: ".", omittingEmptySubsequences: false).filter { !$0.isEmpty }
    }

    /// What keeps it from being served at an instant; `nil` when nothing does.
    func invalidity(at time: Date) -> String? {
        if time < notBefore { return "is not valid before \(notBefore.formatted(.iso8601))" }
        if time >= notAfter { return "expired on \(notAfter.formatted(.iso8601))" }
        return nil
    }

    /// What is doubtful about it though it can be served, each as the end of a sentence that begins with the file's name: that it
    /// expires within two weeks, and what keeps some clients from finding the way to its issuer.
    public func doubts(at time: Date) -> [String] {
        var doubts: [String] = []
        if notAfter.timeIntervalSince(time) < Self.renewalTime { doubts.append("expires on \(notAfter.formatted(.iso8601))") }
        let seconds = time.timeIntervalSince1970
        for (index, certificate) in chain.enumerated().dropFirst() where TimeInterval(certificate.notValidAfter) < seconds {
            doubts.append("has an expired certificate in its chain, number \(index + 1)")
        }
        // RFC 5246 §7.4.2: each certificate is followed by the one that issued it.
        let names = chain.map { (try? $0.toDERBytes()).flatMap(DistinguishedNames.init(der:)) }
        for index in names.indices.dropFirst() where names[index - 1]?.issuer != names[index]?.subject {
            doubts.append("has its chain out of order: number \(index + 1) is not the issuer of number \(index)")
        }
        return doubts
    }

    private static let renewalTime: TimeInterval = 14 * 86_400
}

extension IPAddress {
    /// An address as certificates hold it.
    fileprivate init?(networkOrder bytes: [UInt8]) {
        switch bytes.count {
        case 4: self.init(bytes.map { String($0) }.joined(separator: "."))
        case 16:
            let groups = stride(from: 0, to: 16, by: 2).map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
            self.init(groups.joined(separator: ":"))
        default: return nil
        }
    }
}
