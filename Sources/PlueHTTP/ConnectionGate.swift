import NIOCore

/// Keeps a listener from accepting more connections than it may: it holds back the read that would accept the next one.
///
/// Nobody is dropped; who does not fit waits in the system's queue. Lives on the listener's event loop.
final class ConnectionGate: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never

    private let limit: @Sendable () -> Int
    private let onCount: @Sendable (Int) -> Void
    private var open = 0
    private var isHeld = false
    private var context: ChannelHandlerContext?

    init(limit: @escaping @Sendable () -> Int, onCount: @escaping @Sendable (Int) -> Void) {
        self.limit = limit
        self.onCount = onCount
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = unwrapInboundIn(data)
        open += 1
        onCount(open)
        let loop = context.eventLoop
        let gate = NIOLoopBound(self, eventLoop: loop)
        channel.closeFuture.hop(to: loop).whenComplete { _ in
            gate.value.open -= 1
            gate.value.onCount(gate.value.open)
            gate.value.admit()
        }
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        if open < limit() {
            context.read()
        } else {
            isHeld = true
        }
    }

    /// Accepts again if the limit allows it now; has to be called when the limit was raised.
    func admit() {
        guard isHeld, open < limit(), let context else { return }
        isHeld = false
        context.read()
    }
}
