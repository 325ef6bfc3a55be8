import NIOCore

/// Closes a connection only once all that was said on it has left and has a chance to be heard: a slow reader gets the end of its last
/// response too, and a client that is in the middle of an upload meets the response that refuses it, and not a reset.
///
/// NIO drops what waits to be written when a channel is closed, and the system resets a connection that is closed with bytes unread. So
/// what waits is written first, then only our direction ends, and what the client still sends is read and forgotten for a while.
/// Stands next to the socket, before TLS, on the connection's loop.
final class LastWords: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case open
        /// What was said before is being written.
        case leaving
        /// Our direction has ended; the client may be sending still, and is listened to until the task runs.
        case lingering(Scheduled<Void>)
        case closed
    }

    /// How long a client may take to read them.
    private let patience: TimeAmount
    private var state = State.open
    private var isSending = false

    /// A client that sends nothing for so long has nothing on its way to us.
    private static let silence = TimeAmount.milliseconds(100)
    /// The longest that a client is listened to after the end.
    private static let linger = TimeAmount.seconds(2)

    init(patience: TimeAmount) { self.patience = patience }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .open: context.fireChannelRead(data)
        // Nothing is begun any more.
        case .leaving: isSending = true
        case .lingering(let end):
            guard !isSending else { return }
            isSending = true
            end.cancel()
            listen(context, for: Self.linger)
        case .closed: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // Whoever held back the reads before does not any more.
        if case .lingering = state { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        context.fireUserInboundEventTriggered(event)
        if case .lingering = state, event as? ChannelEvent == .inputClosed { end(context) }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // On a connection that was accepted and is not served yet nothing was said, and nothing can be.
        guard mode == .all, context.channel.isActive else { return context.close(mode: mode, promise: promise) }
        context.channel.closeFuture.cascade(to: promise)
        guard case .open = state else { return }
        state = .leaving
        let loop = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        let late = context.eventLoop.scheduleTask(in: patience) { loop.value.handler.end(loop.value.context) }
        let flushed = context.eventLoop.makePromise(of: Void.self)
        flushed.futureResult.whenComplete { result in
            late.cancel()
            let (handler, context) = loop.value
            guard case .success = result, case .leaving = handler.state else { return handler.end(context) }
            context.close(mode: .output, promise: nil)
            handler.listen(context, for: handler.isSending ? Self.linger : Self.silence)
            context.read()
        }
        // It has left once all before it have.
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: flushed)
    }

    private func listen(_ context: ChannelHandlerContext, for time: TimeAmount) {
        let loop = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        state = .lingering(context.eventLoop.scheduleTask(in: time) { loop.value.handler.end(loop.value.context) })
    }

    /// Closes at once, and for good.
    func end(_ context: ChannelHandlerContext) {
        if case .lingering(let end) = state { end.cancel() }
        if case .closed = state { return }
        state = .closed
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .lingering(let end) = state { end.cancel() }
        state = .closed
        context.fireChannelInactive()
    }
}

extension Channel {
    /// Closes at once: neither what waits to be written nor a goodbye of TLS is waited for.
    func closeAtOnce() {
        eventLoop.execute {
            // From its own place on, which it does not see.
            if let lastWords = try? self.pipeline.syncOperations.handler(type: LastWords.self),
                let context = try? self.pipeline.syncOperations.context(handlerType: LastWords.self)
            {
                lastWords.end(context)
            } else {
                self.close(promise: nil)
            }
        }
    }
}
