import Foundation
import PlueConfig
import PlueHTTP
import SystemPackage
import Testing

@Suite("A certificate and its key", .timeLimit(.minutes(1)))
struct CertificateTests {
    @Test("what belongs together is taken, with its names and its time; the intermediate certificates too, and both in one file")
    func valid() async throws {
        try await withScratch { directory async throws in
            let authority = try await Authority(in: directory)
            let pair = try await authority.issue("a", for: "DNS:a.test,DNS:*.b.test,IP:127.0.0.1,IP:2001:db8::1")
            try chain(pair.certificate, with: authority.certificate)
            let files = try pair.read()
            let certificate = try TLSIdentity(files).certificate
            #expect(certificate.names == ["a.test", "*.b.test", "127.0.0.1", "2001:db8::1"])
            #expect(abs(certificate.notAfter.timeIntervalSinceNow - 30 * 86_400) < 60)
            #expect(certificate.notBefore < Date())
            #expect(certificate.doubts(at: Date()).isEmpty)

            let both = WatchedFile("both.pem", holding: bytes(files.privateKey) + bytes(files.certificate))
            #expect(try TLSIdentity(.init(certificate: both, privateKey: both)).certificate.names == certificate.names)
        }
    }

    @Test(
        "a name is covered as clients see it",
        arguments: [
            ("a.test", true), ("A.TEST", true), ("a.test.", true), ("x.a.test", false), ("x.b.test", true), ("x.y.b.test", false),
            ("b.test", false), ("127.0.0.1", true), ("127.0.0.2", false), ("2001:db8:0::1", true), ("2001:db8::2", false), ("", false),
            ("c.localtest", false), ("*.b.test", true), ("test", false), ("common-name", false),
        ])
    func names(host: String, isCovered: Bool) async throws {
        let certificate = try await Self.named.value
        #expect(certificate.covers(host) == isCovered)
    }

    private static let named = Task {
        let names = "DNS:a.test,DNS:*.b.test,DNS:*.localtest,DNS:*,IP:127.0.0.1,IP:2001:db8::1,URI:https://u.test"
        return try TLSCertificate(try await SelfSigned.make(for: names).certificate)
    }

    @Test("what cannot be served is refused in a sentence that names the file, and shows nothing of a key")
    func refusals() async throws {
        try await withScratch { directory async throws in
            let authority = try await Authority(in: directory)
            let (a, b) = (try await authority.issue("a"), try await authority.issue("b"))
            let (files, other) = (try a.read(), try b.read())
            let (certificate, key) = (files.certificate, files.privateKey)
            let encrypted = [
                try await openssl(["pkcs8", "-topk8", "-in", a.key.string, "-passout", "pass:secret"]),
                try await openssl(["ec", "-in", a.key.string, "-aes128", "-passout", "pass:secret"]),
            ].map { WatchedFile("k", holding: Array($0.utf8)) }
            let reversed = WatchedFile("c", holding: bytes(other.certificate) + bytes(certificate))
            let broken = WatchedFile("c", holding: bytes(certificate).map { $0 == UInt8(ascii: "M") ? UInt8(ascii: "N") : $0 })
            let rubbish = WatchedFile("c", holding: Array("x".utf8))
            let cases: [(HTTPServerSettings.TLS, String)] = [
                (.init(certificate: WatchedFile("c"), privateKey: key), "c holds no certificate chain in PEM form"),
                (.init(certificate: rubbish, privateKey: key), "c holds no certificate chain in PEM form"),
                (.init(certificate: broken, privateKey: key), "c holds no certificate chain in PEM form"),
                (.init(certificate: key, privateKey: key), "\(key.path) holds no certificate chain in PEM form"),
                (.init(certificate: certificate, privateKey: WatchedFile("k")), "k holds no private key in PEM form"),
                (
                    .init(certificate: certificate, privateKey: WatchedFile("k", holding: bytes(key).dropLast(80))),
                    "k holds no private key in PEM form"
                ),
                (.init(certificate: certificate, privateKey: certificate), "\(certificate.path) holds no private key in PEM form"),
                (
                    .init(certificate: certificate, privateKey: other.privateKey),
                    "the private key in \(b.key) does not belong to the certificate in \(a.certificate)"
                ),
                (
                    .init(certificate: reversed, privateKey: key),
                    "the private key in \(a.key) does not belong to the first certificate in c but to number 2; the server's own has to be the first"
                ),
            ]
            for (files, sentence) in cases {
                let refusal = #expect(throws: ServiceRefusal.self) { try TLSIdentity(files) }
                #expect(refusal?.message == sentence)
            }
            for key in encrypted {
                let refusal = #expect(throws: ServiceRefusal.self) { try TLSIdentity(.init(certificate: certificate, privateKey: key)) }
                #expect(refusal?.message.hasPrefix("the private key in k is encrypted") == true)
            }
        }
    }

    @Test("what is doubtful is said and taken: a chain out of order, a soon end")
    func doubts() async throws {
        try await withScratch { directory async throws in
            let authority = try await Authority(in: directory)
            let (a, b) = (try await authority.issue("a", valid: -60...86_400), try await authority.issue("b"))
            let soon = try TLSCertificate(try a.read().certificate)
            #expect(soon.doubts(at: Date()).first?.hasPrefix("expires on 20") == true)
            #expect(soon.doubts(at: Date(timeIntervalSinceNow: -20 * 86_400)).isEmpty)

            try chain(b.certificate, with: b.certificate)
            #expect(
                try TLSIdentity(try b.read()).certificate.doubts(at: Date())
                    == ["has its chain out of order: number 2 is not the issuer of number 1"])
        }
    }

    @Test("no change of any byte of a certificate does more than have it refused")
    func hostile() async throws {
        let pem = String(decoding: bytes(try await SelfSigned.any.value.certificate), as: UTF8.self)
        let lines = pem.split(separator: "\n").drop { $0 != "-----BEGIN CERTIFICATE-----" }.dropFirst()
        let text = lines.prefix { !$0.hasPrefix("---") }.joined()
        let der = try #require(Data(base64Encoded: text))
        for index in der.indices {
            for change: UInt8 in [0x01, 0x80, 0xFF] {
                var der = der
                der[index] ^= change
                let pem = "-----BEGIN CERTIFICATE-----\n\(der.base64EncodedString())\n-----END CERTIFICATE-----\n"
                guard let certificate = try? TLSCertificate(WatchedFile("c", holding: Array(pem.utf8))) else { continue }
                _ = certificate.covers("localhost")
                _ = certificate.doubts(at: Date())
            }
        }
    }

    private func bytes(_ file: WatchedFile) -> [UInt8] { file.content.withExposed(\.self) }

    private func chain(_ certificate: FilePath, with other: FilePath) throws {
        let both = try [certificate, other].map { try String(contentsOfFile: $0.string, encoding: .utf8) }.joined()
        try both.write(toFile: certificate.string, atomically: true, encoding: .utf8)
    }
}
