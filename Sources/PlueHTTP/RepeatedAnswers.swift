import HTTPTypes
public import NIOCore
import NIOHTTPTypes
import Synchronization

/// What a handler may say of its answer: whoever asks the same again, in the same way and on the same connection, gets the same as long
/// as something holds.
public final class RepeatableAnswer: Sendable {
    private let held = Mutex<Held?>(nil)

    struct Held: Sendable {
        let body: ByteBuffer
        let isGood: @Sendable () -> Bool
    }

    /// - Parameters:
    ///   - body: The answer's whole body; empty for one that has none.
    ///   - isGood: Asked before the answer is given again. It may neither wait nor take long.
    public func repeats(_ body: ByteBuffer, while isGood: @escaping @Sendable () -> Bool) {
        held.withLock { $0 = Held(body: body, isGood: isGood) }
    }

    func take() -> Held? {
        held.withLock { held in
            defer { held = nil }
            return held
        }
    }
}

/// Gives an answer again that still holds, without leaving the connection's loop.
///
/// Who watches a configuration asks the same question over and over. Nothing of what makes up the answer can have changed while the head
/// of the request is the same, the connection is the same, and what the handler named still holds; after a second the
/// question takes the long way once more, whatever is said.
final class RepeatedAnswers: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// A question and its answer; sent to the handler as an event.
    struct Known: Sendable {
        let request: HTTPRequest
        let response: HTTPResponse
        let body: ByteBuffer
        let isGood: @Sendable () -> Bool
        /// For this long, counted from when the answer was made.
        let until: NIODeadline
    }

    static let lifetime = TimeAmount.seconds(1)

    private let date: @Sendable () -> String
    private var known: Known?
    /// Requests that took the long way and are not answered yet: nobody overtakes them.
    private var underway = 0
    private var answering: Known?

    init(date: @escaping @Sendable () -> String) { self.date = date }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if underway == 0, let known, known.request == head, NIODeadline.now() < known.until, known.isGood() {
                answering = known
                return
            }
            underway += 1
        case .body:
            if answering != nil { return }
        case .end:
            guard let known = answering else { break }
            answering = nil
            return answer(known, context)
        }
        context.fireChannelRead(data)
    }

    private func answer(_ known: Known, _ context: ChannelHandlerContext) {
        var response = known.response
        response.headerFields[.date] = date()
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        if known.body.readableBytes > 0 { context.write(wrapOutboundOut(.body(known.body)), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { underway = max(0, underway - 1) }
        context.write(data, promise: promise)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let known = event as? Known { self.known = known } else { context.fireUserInboundEventTriggered(event) }
    }
}
