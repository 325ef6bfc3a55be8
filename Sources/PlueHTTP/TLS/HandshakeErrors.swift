import Logging
import NIOCore
import NIOSSL

/// Stands behind the TLS handler and takes what goes wrong there: on an open port that is daily business, and nobody's alarm.
final class HandshakeErrors: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Many clients leave without a goodbye. HTTP knows by itself where a message ends, so nothing can be cut off unnoticed, and
        // what follows, the end of the input, is answered as without TLS.
        if case NIOSSLError.uncleanShutdown? = error as? NIOSSLError { return }
        logger.debug(
            "a TLS connection failed", metadata: ["peer": "\(context.remoteAddress?.description ?? "")", "error": "\(error)"])
        context.fireErrorCaught(error)
    }
}
