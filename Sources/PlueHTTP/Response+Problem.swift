import HTTPTypes
import HummingbirdCore
import NIOCore
import PlueConfig

extension Response {
    /// What the server itself refuses, in the form of all refusals: `application/problem+json` (RFC 9457).
    /// - Parameter isLast: Whether the connection ends with it.
    static func problem(_ status: HTTPResponse.Status, _ detail: String, isLast: Bool = false) -> Response {
        let body: JSONValue = [
            "type": "about:blank", "title": .string(status.reasonPhrase), "status": .integer(status.code), "detail": .string(detail),
        ]
        var headers: HTTPFields = [.contentType: "application/problem+json", .cacheControl: "no-store"]
        if isLast { headers[.connection] = "close" }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: body.text() + "\n")))
    }
}
