import Crypto
import Foundation

/// An API token: `plue_` and 48 characters, 256 random bits with the first 32 bits of their SHA-256 behind them.
///
/// The form lets scanners find one that leaked, and a mistyped one is told from a wrong one without looking anything up.
struct AccessToken {
    static let prefix = "plue_"

    /// To be shown once.
    let text: String
    /// To be kept.
    var digest: [UInt8] { RandomSecret.digest(of: text) }

    /// A new one.
    init() { text = Self.text(of: RandomSecret.bytes()) }

    /// `nil` for what cannot be a token.
    init?(_ text: some StringProtocol) {
        guard text.utf8.count == 53, text.hasPrefix(Self.prefix),
            let bytes = Data(
                base64Encoded: String(text.dropFirst(Self.prefix.count)).replacing("-", with: "+").replacing("_", with: "/")),
            // There is one spelling of each.
            bytes.count == 36, Self.text(of: Array(bytes.prefix(32))) == text
        else { return nil }
        self.text = String(text)
    }

    private static func text(of bytes: [UInt8]) -> String {
        prefix + RandomSecret.text(of: bytes + SHA256.hash(data: bytes).prefix(4))
    }
}
