import NIOCore
import NIOPosix
import PlueConfig

/// A look from outside: connects like a client and waits for the first words of an HTTP response.
enum Probe {
    static func askForAnyAnswer(at address: SocketAddress, group: any EventLoopGroup) async throws {
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel = try await ClientBootstrap(group: group)
                .connectTimeout(.seconds(3))
                .connect(to: reachable(address)) { channel in
                    channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
                }
        } catch {
            throw ServiceRefusal("\(name(address)) does not take connections")
        }
        let answer = try await channel.executeThenClose { inbound, outbound in
            // Any status will do: the question is whether this server answers, not what.
            try await outbound.write(ByteBuffer(string: "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
            var answer = ByteBuffer()
            for try await part in inbound {
                answer.writeImmutableBuffer(part)
                if answer.readableBytes >= 8 { break }
            }
            return String(buffer: answer)
        }
        guard answer.hasPrefix("HTTP/1.") else { throw ServiceRefusal("\(name(address)) does not answer in HTTP") }
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
