import Crypto
import HTTPTypes
import Hummingbird
import NIOCore
import PlueConfig

/// An answer that stays the same as long as the process runs.
struct StaticAnswer: Sendable {
    private let body: ByteBuffer
    private let tag: String
    private let mediaType: String

    init(_ value: JSONValue, mediaType: String) {
        body = ByteBuffer(string: value.text() + "\n")
        self.mediaType = mediaType
        tag =
            "\"\(SHA256.hash(data: Array(body.readableBytesView)).prefix(12).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())\""
    }

    func response(to request: Request) -> Response {
        API.notModified(request, tag: tag)
            ?? Response(
                status: .ok, headers: [.contentType: mediaType, .cacheControl: "no-cache", .eTag: tag],
                body: ResponseBody(byteBuffer: body))
    }
}
