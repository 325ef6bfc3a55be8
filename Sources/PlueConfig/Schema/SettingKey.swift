/// The name of one setting: a section and a key inside it, written `server.port`.
///
/// Sections nest with dots (`server.tls`), keys never contain one, so the last dot divides the two.
public struct SettingKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The section, `server` or `daemon.nginx`; never empty in a key that came from a document.
    public let section: String
    /// The key inside the section, `port`.
    public let name: String

    /// Makes a key from its two parts.
    public init(section: String, name: String) {
        self.section = section
        self.name = name
    }

    /// Reads `section.key`; `nil` when there is no dot or a part is empty.
    public init?(_ text: some StringProtocol) {
        guard let dot = text.lastIndex(of: ".") else { return nil }
        let section = text[..<dot]
        let name = text[text.index(after: dot)...]
        guard !section.isEmpty, !name.isEmpty else { return nil }
        self.init(section: String(section), name: String(name))
    }

    /// `section.key`; the section alone when the name is empty.
    public var description: String { section.isEmpty ? name : name.isEmpty ? section : "\(section).\(name)" }

    /// Whether a name is this setting's, its section's, or that of a section around it.
    func isWithin(_ name: String) -> Bool {
        guard section.hasPrefix(name) else {
            return name.utf8.count == section.utf8.count + 1 + self.name.utf8.count && name == description
        }
        return section.utf8.count == name.utf8.count || section.utf8.dropFirst(name.utf8.count).first == UInt8(ascii: ".")
    }

    /// The section's components and the name, as the HTTP API and swift-configuration address it.
    public var components: [String] {
        section.split(separator: ".").map(String.init) + (name.isEmpty ? [] : [name])
    }

    /// The key as a JSON Pointer (RFC 6901): `/server/port`.
    public var pointer: String { "/" + components.joined(separator: "/") }

    public static func < (left: SettingKey, right: SettingKey) -> Bool {
        (left.section, left.name) < (right.section, right.name)
    }
}
