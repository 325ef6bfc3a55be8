import NIOCore
import NIOPosix
import NIOSSL
import PlueConfig
import Synchronization

/// A look from outside: connects like a client, looks at the certificate, and waits for the first words of an HTTP response.
enum Probe {
    /// A server with a short idle timeout, on a busy machine, may close before the question has reached it.
    private static let attempts = 5

    /// - Parameter certificate: What has to be served: this very one, whatever its names. `nil` for plain HTTP.
    static func askForAnyAnswer(at address: SocketAddress, expecting certificate: TLSCertificate?, group: any EventLoopGroup) async throws {
        let pin = try certificate.map(CertificatePin.init)
        for _ in 1...attempts {
            if try await isAnswered(address, pin, group) { return }
            if pin?.hasMetAnother == true { throw ServiceRefusal("\(name(address)) does not serve the certificate that was loaded") }
        }
        throw ServiceRefusal("\(name(address)) takes connections and closes them without an answer")
    }

    /// Whether there was an answer; `false` when the connection was closed before it.
    private static func isAnswered(_ address: SocketAddress, _ pin: CertificatePin?, _ group: any EventLoopGroup) async throws -> Bool {
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel = try await ClientBootstrap(group: group)
                .connectTimeout(.seconds(3))
                .connect(to: reachable(address)) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let pin { try channel.pipeline.syncOperations.addHandler(pin.makeHandler()) }
                        return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw ServiceRefusal("\(name(address)) does not take connections")
        }
        var answer = ByteBuffer()
        do {
            answer = try await channel.executeThenClose { inbound, outbound in
                // Any status will do: the question is whether this server answers, not what.
                try await outbound.write(ByteBuffer(string: "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
                var answer = ByteBuffer()
                for try await part in inbound {
                    answer.writeImmutableBuffer(part)
                    if answer.readableBytes >= 8 { break }
                }
                return answer
            }
        } catch {
            try Task.checkCancellation()
            return false
        }
        if answer.readableBytes == 0 { return false }
        guard String(buffer: answer).hasPrefix("HTTP/1.") else { throw ServiceRefusal("\(name(address)) does not answer in HTTP") }
        return true
    }

    /// An address that stands for all of the machine's is reached through loopback.
    private static func reachable(_ address: SocketAddress) throws -> SocketAddress {
        switch address.ipAddress {
        case "0.0.0.0": try SocketAddress(ipAddress: "127.0.0.1", port: address.port ?? 0)
        case "::": try SocketAddress(ipAddress: "::1", port: address.port ?? 0)
        default: address
        }
    }

    private static func name(_ address: SocketAddress) -> String {
        address.ipAddress.map { "\($0):\(address.port ?? 0)" } ?? address.pathname ?? "the listener"
    }
}

/// Trusts one certificate chain and no other.
private final class CertificatePin: Sendable {
    private let expected: [NIOSSLCertificate]
    private let context: NIOSSLContext
    private let another = Mutex(false)

    init(_ certificate: TLSCertificate) throws {
        expected = certificate.chain
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .noHostnameVerification
        // Those of the system would be read from its disk, for nothing.
        configuration.trustRoots = .certificates([])
        configuration.applicationProtocols = ["http/1.1"]
        context = try NIOSSLContext(configuration: configuration)
    }

    /// Whether something else was served.
    var hasMetAnother: Bool { another.withLock { $0 } }

    func makeHandler() throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: context, serverHostname: nil) { [self] presented, verdict in
            another.withLock { $0 = presented != expected }
            verdict.succeed(presented == expected ? .certificateVerified : .failed)
        }
    }
}
