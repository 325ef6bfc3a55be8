public import PlueConfig

/// What an encrypted value is bound to: it opens here and nowhere else.
public struct ValuePlace: Hashable, Sendable {
    /// Which application the values are for; from the deployment, never from a file that also holds values.
    public let application: String
    /// The profile whose document defines the value, `production` or `base`: what extends the profile inherits the value.
    public let profile: String
    /// The section, with its dots.
    public let section: String
    /// The key inside the section.
    public let key: String
    /// What the value is read as, `string`; as `ValueKind/name` has it.
    public let type: String

    public init(application: String, profile: String, section: String, key: String, type: String) {
        self.application = application
        self.profile = profile
        self.section = section
        self.key = key
        self.type = type
    }

    /// The place of a setting.
    public init(application: String, profile: String, key: SettingKey, kind: ValueKind) {
        self.init(application: application, profile: profile, section: key.section, key: key.name, type: kind.name)
    }

    /// By bytes: two spellings of é are one `String` and two places.
    public static func == (left: ValuePlace, right: ValuePlace) -> Bool {
        left.application.utf8.elementsEqual(right.application.utf8) && left.profile.utf8.elementsEqual(right.profile.utf8)
            && left.section.utf8.elementsEqual(right.section.utf8) && left.key.utf8.elementsEqual(right.key.utf8)
            && left.type.utf8.elementsEqual(right.type.utf8)
    }

    /// What is authenticated with the ciphertext.
    func authenticatedData(_ id: KeyID) -> [UInt8] {
        lengthPrefixed(Sealing.label, id.rawValue, application, profile, section, key, type)
    }
}

extension ValuePlace: CustomStringConvertible {
    /// `database.password of the profile production of pay, read as string`
    public var description: String { "\(section).\(key) of the profile \(profile) of \(application), read as \(type)" }
}

/// Each part's UTF-8 behind its length in four bytes, big-endian: no two lists of parts have the same bytes.
func lengthPrefixed(_ parts: String...) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(parts.reduce(0) { $0 + 4 + $1.utf8.count })
    for part in parts {
        // A text of four gigabytes is no place of a value.
        withUnsafeBytes(of: UInt32(clamping: part.utf8.count).bigEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: part.utf8)
    }
    return bytes
}
