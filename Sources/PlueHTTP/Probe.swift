import NIOCore
import NIOPosix
import PlueConfig

/// A look from outside: connects like a client and waits for the first words of an HTTP response.
enum Probe {
    /// A server with a short idle timeout, on a busy machine, may close before the question has reached it.
    private static let attempts = 5

    static func askForAnyAnswer(at address: SocketAddress, group: any EventLoopGroup) async throws {
        for _ in 1...attempts {
            if try await isAnswered(address, group) { return }
        }
        throw ServiceRefusal("\(name(address)) takes connections and closes them without an answer")
    }

    /// Whether there was an answer; `false` when the connection was closed before it.
    private static func isAnswered(_ address: SocketAddress, _ group: any EventLoopGroup) async throws -> Bool {
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
