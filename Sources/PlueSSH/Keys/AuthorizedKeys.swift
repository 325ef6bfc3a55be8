public import PlueConfig
import SystemPackage

/// Who may log in, and with which role: the content of a file in OpenSSH's `authorized_keys` format.
///
/// ```
/// # comments and empty lines
/// ssh-ed25519 AAAA… ada@laptop
/// environment="PLUE_ROLE=operator",from="10.0.0.0/8" ecdsa-sha2-nistp256 AAAA… grace@desk
/// environment="PLUE_ROLE=admin",expiry-time="20301231" ssh-rsa AAAA… linus@tower
/// ```
///
/// Keys are of type ed25519, ecdsa, or rsa with 2048 bits and more. The role stands in an option that OpenSSH's own tools know,
/// so that they still read the file; a key without it is a viewer's. The comment is the actor in history and audit.
///
/// The options `from`, `expiry-time`, `restrict`, `pty` and `no-pty` are honoured; `no-port-forwarding`, `no-agent-forwarding`,
/// `no-x11-forwarding` and `no-user-rc` ask for what is so anyway. Any other option, type or malformed line is refused with its
/// number, and the whole file with it: a restriction that is not understood would be one that is not kept.
public struct AuthorizedKeys: Sendable, Equatable {
    private let keys: [String: AuthorizedKey]

    private static let mostKeys = 10_000

    /// The key with this blob, in base64.
    subscript(blob: String) -> AuthorizedKey? { keys[blob] }

    /// How many keys there are.
    public var count: Int { keys.count }

    /// Reads a file's content.
    /// - Parameter name: What the file is called in the refusal.
    /// - Throws: A refusal with every line that is wrong.
    public init(parsing bytes: [UInt8], name: String) throws(ServiceRefusal) {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw ServiceRefusal("\(name) is not UTF-8 text") }
        var keys: [String: AuthorizedKey] = [:]
        var lines: [String: Int] = [:]
        var problems: [String] = []
        // Unicode scalars: to Swift, CR LF is one character.
        for (index, line) in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = String(line).trimmingBlanks
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            do throws(LineProblem) {
                let key = try AuthorizedKeyLine.parse(line)
                if let first = lines[key.blob] { throw LineProblem("is the same key as line \(first)") }
                keys[key.blob] = key
                lines[key.blob] = index + 1
                if keys.count > Self.mostKeys { throw LineProblem("is one key too many: there may be \(Self.mostKeys)") }
            } catch {
                problems.append("line \(index + 1) \(error.text)")
                if keys.count > Self.mostKeys { break }
            }
        }
        guard problems.isEmpty else {
            let shown = problems.prefix(Self.mostProblems).joined(separator: "; ")
            let rest = problems.count - Self.mostProblems
            throw ServiceRefusal("\(name): \(shown)\(rest > 0 ? "; and \(rest) more" : "")")
        }
        self.keys = keys
    }

    /// A refusal is one line that people read.
    private static let mostProblems = 8

    /// Reads the file. Blocks.
    static func load(_ file: SSHKeyFile) throws(ServiceRefusal) -> AuthorizedKeys {
        try AuthorizedKeys(parsing: file.load("the file of authorized keys", mode: .unwritable), name: file.path.string)
    }
}

/// What is wrong with a line, as the rest of a sentence that begins with its number.
struct LineProblem: Error {
    let text: String
    init(_ text: String) { self.text = text }
}

extension String {
    /// Without blanks and carriage returns at its ends.
    var trimmingBlanks: String {
        let isBlank: (Unicode.Scalar) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
        let scalars = unicodeScalars.drop(while: isBlank)
        guard let last = scalars.lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(scalars[...last])
    }
}
