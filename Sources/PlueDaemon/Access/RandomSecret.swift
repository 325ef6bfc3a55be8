import Crypto
import Foundation

/// 256 random bits as text: what a session's cookie, a console code and, with more around it, a token hold.
enum RandomSecret {
    static func bytes() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<4).flatMap { _ in withUnsafeBytes(of: generator.next() as UInt64) { Array($0) } }
    }

    /// Base64 for addresses (RFC 4648 §5), unpadded.
    static func text(of bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// What is kept of a secret's text: it cannot be guessed, so one round of SHA-256 hides it.
    static func digest(of text: some StringProtocol) -> [UInt8] { Array(SHA256.hash(data: Data(text.utf8))) }
}
