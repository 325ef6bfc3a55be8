import CPlueConsole
import Crypto
import HTTPTypes
import Hummingbird
import NIOCore

/// One file of the console, as it is served.
///
/// The browser keeps it and asks each time whether it is still the same: after an upgrade no page is made of old and new files.
struct ConsoleFile: Sendable {
    let name: String
    private let body: ByteBuffer
    private let tag: String
    private let mediaType: String

    /// All that are in the executable.
    static let all: [ConsoleFile] = {
        var files: [ConsoleFile] = []
        while true {
            let file = plue_console_file_at(files.count)
            guard let name = file.name, let bytes = file.bytes else { return files }
            files.append(ConsoleFile(String(cString: name), UnsafeBufferPointer(start: bytes, count: file.size)))
        }
    }()

    init(_ name: String, _ bytes: some Collection<UInt8>) {
        self.name = name
        body = ByteBuffer(bytes: bytes)
        mediaType =
            switch name.split(separator: ".").last {
            case "html": "text/html; charset=utf-8"
            case "css": "text/css; charset=utf-8"
            case "js": "text/javascript; charset=utf-8"
            case "svg": "image/svg+xml"
            default: "application/octet-stream"
            }
        let digest = SHA256.hash(data: Array(bytes)).prefix(12)
        tag = "\"\(digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())\""
    }

    /// The page may load and call this server, and nothing else; nothing may show it in a frame, and no form can send it anywhere.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"

    private static let guards: [(name: String, value: String)] = [
        ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ]

    func response(to request: Request) -> Response {
        var response =
            API.notModified(request, tag: tag)
            ?? Response(status: .ok, headers: [.contentType: mediaType, .eTag: tag], body: ResponseBody(byteBuffer: body))
        response.headers[.cacheControl] = "no-cache"
        for (name, value) in Self.guards {
            if let name = HTTPField.Name(name) { response.headers[name] = value }
        }
        return response
    }
}
