import CLibSSH
import Foundation
import PlueConfig

/// Reads one line of an `authorized_keys` file: `[options] type base64 [comment]`.
enum AuthorizedKeyLine {
    /// What may log in. RSA keys sign with SHA-2 only; the type in the file is called `ssh-rsa` all the same.
    private static let types = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"]

    private static let rsaBits = 2048...16_384
    private static let longestComment = 256

    static func parse(_ line: String) throws(LineProblem) -> AuthorizedKey {
        var rest = line[...]
        var options = ""
        if !isType(nextWord(rest)) {
            options = try takeOptions(from: &rest)
            skipBlanks(&rest)
        }
        let type = String(takeWord(from: &rest))
        guard types.contains(type) else {
            throw isType(type)
                ? LineProblem("has a key of type \(type), which is not accepted: use ed25519, ecdsa or rsa")
                : LineProblem("is not '[options] type key [comment]'")
        }
        let base64 = String(takeWord(from: &rest))
        let comment = String(rest).trimmingBlanks
        // It is a name in history and audit, which are to be read by people.
        guard comment.utf8.count <= longestComment, comment.unicodeScalars.allSatisfy(\.isVisible) else {
            throw LineProblem("has a comment that is too long or has characters that cannot be seen")
        }
        let (blob, fingerprint) = try check(base64, of: type)
        var key = AuthorizedKey(blob: blob, fingerprint: fingerprint, comment: comment)
        for option in try split(options) { try apply(option, to: &key) }
        return key
    }

    // MARK: - Words

    private static func nextWord(_ text: Substring) -> Substring { text.prefix { $0 != " " && $0 != "\t" } }

    private static func takeWord(from text: inout Substring) -> Substring {
        let word = nextWord(text)
        text = text[word.endIndex...]
        skipBlanks(&text)
        return word
    }

    private static func skipBlanks(_ text: inout Substring) { text = text.drop { $0 == " " || $0 == "\t" } }

    /// Whether a word is meant as a key's type, ours or another of OpenSSH's.
    private static func isType(_ word: some StringProtocol) -> Bool {
        types.contains(String(word)) || word.hasPrefix("ssh-") || word.hasPrefix("ecdsa-sha2-") || word.hasPrefix("sk-")
    }

    // MARK: - Options

    /// Up to the first blank outside quotes.
    private static func takeOptions(from text: inout Substring) throws(LineProblem) -> String {
        var (isQuoted, isEscaped) = (false, false)
        let end = text.firstIndex { character in
            if isEscaped {
                isEscaped = false
            } else if character == "\\", isQuoted {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if !isQuoted, character == " " || character == "\t" {
                return true
            }
            return false
        }
        if isQuoted, end == nil { throw LineProblem("has an option whose quote is not closed") }
        defer { text = text[(end ?? text.endIndex)...] }
        return String(text[..<(end ?? text.endIndex)])
    }

    private struct Option {
        var name: String
        var value: String?
    }

    /// `a,b="x,\"y"`.
    private static func split(_ options: String) throws(LineProblem) -> [Option] {
        if options.isEmpty { return [] }
        var found: [Option] = []
        var rest = options[...]
        while true {
            let name = rest.prefix { $0 != "=" && $0 != "," && $0 != "\"" }
            rest = rest[name.endIndex...]
            var option = Option(name: name.lowercased())
            if rest.first == "=" {
                rest = rest.dropFirst()
                option.value = try takeQuoted(from: &rest, of: option.name)
            }
            guard !option.name.isEmpty else { throw LineProblem("has an option without a name") }
            found.append(option)
            if rest.isEmpty { return found }
            guard rest.first == "," else { throw LineProblem("has something after option '\(shown(option.name))' that is not a comma") }
            rest = rest.dropFirst()
        }
    }

    private static func takeQuoted(from text: inout Substring, of name: String) throws(LineProblem) -> String {
        guard text.first == "\"" else { throw LineProblem("has option '\(shown(name))' without quotes around its value") }
        text = text.dropFirst()
        var value = ""
        while let character = text.first {
            text = text.dropFirst()
            if character == "\"" { return value }
            if character == "\\", text.first == "\"" {
                value.append("\"")
                text = text.dropFirst()
            } else {
                value.append(character)
            }
        }
        throw LineProblem("has option '\(shown(name))' whose quote is not closed")
    }

    private static func apply(_ option: Option, to key: inout AuthorizedKey) throws(LineProblem) {
        switch (option.name, option.value) {
        case ("environment", let value?): key.role = try role(value)
        case ("from", let value?): key.sources = try sources(value)
        case ("expiry-time", let value?):
            guard let expiry = ExpiryTime.parse(value) else {
                throw LineProblem("has expiry-time '\(shown(value))', but it is written YYYYMMDD or YYYYMMDDHHMM[SS], with a Z for UTC")
            }
            // As in sshd, the earliest counts.
            key.expiry = min(key.expiry ?? expiry, expiry)
        case ("restrict", nil), ("no-pty", nil): key.mayHaveTerminal = false
        case ("pty", nil): key.mayHaveTerminal = true
        case ("no-port-forwarding", nil), ("no-agent-forwarding", nil), ("no-x11-forwarding", nil), ("no-user-rc", nil): break
        case ("environment", nil), ("from", nil), ("expiry-time", nil): throw LineProblem("has option '\(option.name)' without a value")
        default: throw LineProblem("has option '\(shown(option.name))', which is not supported here and so could not be kept")
        }
    }

    private static func role(_ value: String) throws(LineProblem) -> Role {
        let name = "PLUE_ROLE="
        guard value.hasPrefix(name) else {
            throw LineProblem("sets a variable in 'environment'; only PLUE_ROLE is known, as in environment=\"PLUE_ROLE=operator\"")
        }
        guard let role = Role(rawValue: String(value.dropFirst(name.count))) else {
            let names = Role.allCases.map(\.rawValue).joined(separator: ", ")
            throw LineProblem("has role '\(shown(String(value.dropFirst(name.count))))', but the roles are \(names)")
        }
        return role
    }

    private static func sources(_ value: String) throws(LineProblem) -> [AddressPattern] {
        var patterns: [AddressPattern] = []
        for text in value.split(separator: ",", omittingEmptySubsequences: false) {
            let text = String(text).trimmingBlanks
            guard let pattern = AddressPattern(text) else {
                throw LineProblem(
                    "has '\(shown(text))' in 'from', which no address matches: names are not looked up, and a network has no bits beyond its prefix"
                )
            }
            patterns.append(pattern)
        }
        return patterns
    }

    /// Part of the line, short and harmless enough for a log.
    private static func shown(_ text: String) -> String {
        let visible = text.unicodeScalars.prefix(40).map { $0.isVisible ? String($0) : "?" }.joined()
        return text.unicodeScalars.count > 40 ? visible + "…" : visible
    }

    // MARK: - The key

    /// Has libssh read the key, and returns it as libssh writes it: one key has one form.
    private static func check(_ base64: String, of type: String) throws(LineProblem) -> (blob: String, fingerprint: String) {
        let problem = LineProblem("has a key of type \(type) that is damaged: its base64 text does not decode to such a key")
        guard let bytes = Data(base64Encoded: base64), let fields = WireFields(bytes), fields.first.map({ Data(type.utf8) == $0 }) == true
        else { throw problem }
        var key: ssh_key?
        guard ssh_pki_import_pubkey_base64(base64, ssh_key_type_from_name(type), &key) == SSH_OK, let key else { throw problem }
        defer { ssh_key_free(key) }
        guard let description = KeyDescription(key), description.type == type else { throw problem }
        if type == "ssh-rsa" {
            let bits = fields.count == 3 ? fields[2].bitCount : 0
            guard rsaBits.contains(bits) else {
                throw LineProblem("has an rsa key of \(bits) bits, but \(rsaBits.lowerBound) are the least that is safe")
            }
        }
        return (description.blob, description.fingerprint)
    }
}

extension Unicode.Scalar {
    /// Whether it shows, and shows where it stands: no control character, no line's end, nothing that turns the text around.
    var isVisible: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
        default: true
        }
    }
}

/// The fields of an SSH key blob, each behind its length (RFC 4251, "string").
private struct WireFields: RandomAccessCollection {
    private var fields: [Data] = []

    init?(_ blob: Data) {
        var rest = blob
        while !rest.isEmpty {
            guard rest.count >= 4 else { return nil }
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard length <= rest.count else { return nil }
            fields.append(Data(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
    }

    var startIndex: Int { fields.startIndex }
    var endIndex: Int { fields.endIndex }
    subscript(index: Int) -> Data { fields[index] }
}

extension Data {
    /// The size of a big-endian number in bits.
    fileprivate var bitCount: Int {
        let digits = drop { $0 == 0 }
        guard let first = digits.first else { return 0 }
        return digits.count * 8 - first.leadingZeroBitCount
    }
}
