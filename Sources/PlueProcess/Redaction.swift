import PlueConfig

/// Takes secrets out of what other programs say: a checker quotes the line it does not like.
///
/// No four bytes in a row of a secret are left, since programs cut what they quote at blanks, quotes and ends of lines; of a shorter
/// secret, no occurrence. More may be taken out than had to be.
struct Redaction: Sendable {
    private let secrets: [Secret<String>]

    init(_ secrets: [Secret<String>] = []) { self.secrets = secrets }

    /// Whether there is a secret at all.
    var isEmpty: Bool { secrets.isEmpty }

    /// Knows the secrets of both.
    func adding(_ other: Redaction?) -> Redaction { Redaction(secrets + (other?.secrets ?? [])) }

    private static let width = 4
    private static let mark = Array("<secret>".utf8)

    /// The text without the secrets.
    func callAsFunction(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var isCovered = [Bool](repeating: false, count: bytes.count)
        for secret in secrets {
            secret.withExposed { secret in
                let secret = Array(secret.utf8)
                let width = min(Self.width, secret.count)
                guard width > 0, bytes.count >= width else { return }
                let pieces = Set((0...(secret.count - width)).map { secret[$0..<($0 + width)] })
                for start in 0...(bytes.count - width) where pieces.contains(bytes[start..<(start + width)]) {
                    for index in start..<(start + width) { isCovered[index] = true }
                }
            }
        }
        var shown: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if !isCovered[index] {
                shown.append(byte)
            } else if index == 0 || !isCovered[index - 1] {
                shown += Self.mark
            }
        }
        return String(decoding: shown, as: UTF8.self)
    }
}
