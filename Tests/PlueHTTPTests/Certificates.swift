import Foundation
import PlueConfig
import PlueHTTP
import Subprocess
import SystemPackage

/// A certificate that signs itself, made by openssl once for all tests that need just any; on no disk.
enum SelfSigned {
    static let any = Task { try await make() }

    /// - Parameter names: As openssl writes alternative names.
    static func make(for names: String = "DNS:localhost,IP:127.0.0.1") async throws -> HTTPServerSettings.TLS {
        let arguments =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "30", "-subj", "/CN=common-name"]
            + ["-addext", "subjectAltName=\(names)", "-keyout", "-", "-out", "-"]
        let both = Array(try await openssl(arguments).utf8)
        return HTTPServerSettings.TLS(
            certificate: WatchedFile("both.pem", holding: both), privateKey: WatchedFile("both.pem", holding: both))
    }
}

/// A certificate authority in a directory, and what it issues.
struct Authority: Sendable {
    let directory: FilePath
    let certificate: FilePath
    private var key: FilePath { directory.appending("ca.key") }

    init(in directory: FilePath) async throws {
        self.directory = directory
        certificate = directory.appending("ca.pem")
        try await openssl(
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "30", "-subj", "/CN=authority"]
                + ["-keyout", directory.appending("ca.key").string, "-out", certificate.string])
    }

    /// The files of a certificate and its key.
    struct Pair: Sendable {
        let certificate: FilePath
        let key: FilePath

        /// As they are on the disk now.
        func read() throws -> HTTPServerSettings.TLS {
            HTTPServerSettings.TLS(certificate: try WatchedFile(reading: certificate), privateKey: try WatchedFile(reading: key))
        }
    }

    /// - Parameters:
    ///   - name: Of the files, `NAME.pem` and `NAME.key`, and in the subject.
    ///   - names: As openssl writes alternative names.
    ///   - dates: When it begins and ends to be valid, in seconds from now.
    func issue(
        _ name: String, for names: String = "DNS:localhost,IP:127.0.0.1", valid dates: ClosedRange<TimeInterval> = -60...30 * 86_400
    ) async throws -> Pair {
        let pair = Pair(certificate: directory.appending("\(name).pem"), key: directory.appending("\(name).key"))
        let (request, database) = (directory.appending("\(name).csr"), directory.appending("\(name).database"))
        try await openssl(
            ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", "/CN=\(name)"]
                + ["-keyout", pair.key.string, "-out", request.string])
        // Only `openssl ca` takes dates, and it wants a configuration and a database.
        try """
        [ca]
        default_ca = authority
        [authority]
        database = \(database)
        new_certs_dir = \(directory)
        rand_serial = yes
        default_md = sha256
        policy = any
        x509_extensions = extensions
        [any]
        commonName = supplied
        [extensions]
        subjectAltName = \(names)

        """.write(toFile: "\(database).conf", atomically: true, encoding: .utf8)
        try Data().write(to: URL(filePath: database.string))
        func date(_ offset: TimeInterval) -> String {
            let style = Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted)
            return Date(timeIntervalSinceNow: offset).formatted(style).filter { $0 != "T" }
        }
        try await openssl(
            ["ca", "-batch", "-notext", "-config", "\(database).conf", "-cert", certificate.string, "-keyfile", key.string]
                + ["-startdate", date(dates.lowerBound), "-enddate", date(dates.upperBound), "-in", request.string]
                + ["-out", pair.certificate.string])
        return pair
    }
}

struct OpenSSLFailure: Error, CustomStringConvertible {
    let description: String
}

/// What openssl prints.
@discardableResult
func openssl(_ arguments: [String]) async throws -> String {
    let result = try await Subprocess.run(
        .name("openssl"), arguments: Arguments(arguments), output: .string(limit: 1_000_000), error: .string(limit: 1_000_000))
    guard result.terminationStatus.isSuccess else {
        throw OpenSSLFailure(description: "openssl \(arguments.joined(separator: " ")): \(result.standardError)")
    }
    return result.standardOutput
}

/// The server's own certificate, in PEM form, as a client meets it in a new handshake.
func servedCertificate(_ port: Int, on host: String = "127.0.0.1") async throws -> String {
    let text = try await openssl(["s_client", "-connect", "\(host):\(port)"])
    let lines = text.split(separator: "\n").drop { $0 != "-----BEGIN CERTIFICATE-----" }
    return lines.prefix { $0 != "-----END CERTIFICATE-----" }.joined(separator: "\n") + "\n-----END CERTIFICATE-----\n"
}
