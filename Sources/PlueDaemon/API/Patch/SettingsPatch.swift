import OrderedCollections
import PlueConfig
import PlueDocuments

/// A patch of the values that `GET /v1/config` shows, as edits of the documents that own them.
///
/// What is asked for and is so already is no edit, so that an answer can be sent back with one value changed. A value is written so that
/// it reads back as the same: `${` in it is text. A secret's redaction object keeps the secret. A secret in plain text is encrypted.
struct SettingsPatch {
    private let settings: SettingTable
    private let schema: SectionModel
    private let fingerprints: Fingerprints
    private let seal: Seal
    private(set) var edits = Edits()

    /// Encrypts a secret for the document that will hold it; `nil` when there is no keyring.
    typealias Seal = (Secret<String>, SettingKey) throws(SealingFailure) -> String

    /// Why a secret cannot be encrypted, as a sentence.
    struct SealingFailure: Error {
        let problem: String
    }

    /// A redaction object was sent back whose secret is another one by now.
    struct Outdated: Error {
        let key: SettingKey
    }

    init(of settings: SettingTable, schema: SectionModel, _ fingerprints: Fingerprints, seal: @escaping Seal) {
        self.settings = settings
        self.schema = schema
        self.fingerprints = fingerprints
        self.seal = seal
    }

    // MARK: - Merge patch (RFC 7396)

    /// Takes over what the patch names; `null` deletes a key's line, or a section.
    mutating func merge(_ patch: JSONValue, at path: [String] = []) throws(Outdated) {
        for (name, value) in patch.members {
            let path = path + [name]
            guard isName(name) else {
                refuse("unknown-key", nil, "'\(VisibleText.of(String(name.prefix(80))))' is not the name of a section or key")
                continue
            }
            switch value {
            case .null: remove(path)
            case .object where !isRedaction(value): try merge(value, at: path)
            default: try set(path, to: value)
            }
        }
    }

    // MARK: - JSON Patch (RFC 6902)

    /// Takes over what differs between the values as they are and as a patch leaves them.
    mutating func follow(from old: JSONValue, to new: JSONValue, at path: [String] = []) throws(Outdated) {
        for (name, before) in old.members {
            let path = path + [name]
            switch new[name] {
            case nil, .null?:
                if before != .null { remove(path) }
            case .object(let members)? where !isRedaction(.object(members)) && before.isSection:
                try follow(from: before, to: .object(members), at: path)
            case let after? where !before.isEqual(to: after): try merge(.object([name: after]), at: Array(path.dropLast()))
            default: continue
            }
        }
        for (name, value) in new.members where old[name] == nil && value != .null { try merge(.object([name: value]), at: path) }
    }

    // MARK: - Edits

    private mutating func set(_ path: [String], to value: JSONValue) throws(Outdated) {
        guard let key = key(path) else {
            refuse("unknown-key", nil, "'\(path.joined(separator: "."))' is a section, and takes an object")
            return
        }
        let running = settings[key]
        if isRedaction(value) {
            guard let shown = running.map({ fingerprints.shown($0.configured).json }), isRedaction(shown),
                value["fingerprint"].map({ $0 == shown["fingerprint"] }) ?? true
            else { throw Outdated(key: key) }
            return
        }
        let model = schema.setting(for: key)
        guard let plain = plain(value, model?.kind ?? value.kind) else {
            let expected = model?.kind.summary ?? "a value"
            refuse("type", key, "\(key) takes \(expected), as JSON has it", expected: expected)
            return
        }
        if running?.configured.holds(plain) == true { return }
        guard model?.isSecret == true || running?.configured.isSecret == true else {
            edits.steps.append(.set(key, to: plain))
            return
        }
        guard let text = plain.sealable else {
            refuse("type", key, "an item of \(key) is empty, or has a comma or spaces around it, which an encrypted list cannot hold")
            return
        }
        do throws(SealingFailure) {
            edits.steps.append(.set(key, to: try seal(Secret(text), key)))
        } catch {
            refuse(
                "secret", key, "\(key) is secret, and documents should not hold it in plain text: \(error.problem)",
                hint: "make a keyring with 'plue secret keygen', or refer to it, as in ${file:/run/secrets/\(key.name)}")
        }
    }

    private mutating func remove(_ path: [String]) {
        let section = path.joined(separator: ".")
        let sections = settings.sectionNames.filter { $0 == section || $0.hasPrefix(section + ".") }
        guard let key = key(path), isSetting(key, orSection: section, sections) else {
            // One that is known and not there needs no deleting; one that is not known is a slip.
            let names = sections.isEmpty ? [section] : sections
            if sections.isEmpty, schema.section(named: section) != nil { return }
            edits.steps += names.map { .removeSection($0) }
            return
        }
        edits.steps.append(.remove(key))
    }

    /// `[a.b]` is a section and `b` may be a key of `[a]`: what there is decides, then what may be.
    private func isSetting(_ key: SettingKey, orSection section: String, _ sections: [String]) -> Bool {
        if settings[key] != nil { return true }
        if !sections.isEmpty { return false }
        return schema.section(named: section) == nil || schema.section(named: key.section)?.settings[key.name] != nil
    }

    private func key(_ path: [String]) -> SettingKey? {
        guard let name = path.last, path.count > 1 else { return nil }
        return SettingKey(section: path.dropLast().joined(separator: "."), name: name)
    }

    private func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, first.isLetter, text.utf8.count <= 256 else { return false }
        return text.utf8.allSatisfy { $0.isLetter || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") }
    }

    private mutating func refuse(
        _ code: DiagnosticCode, _ key: SettingKey?, _ message: String, expected: String? = nil, hint: String? = nil
    ) {
        edits.steps.append(.impossible(Diagnostic(code, key: key, message, expected: expected, hint: hint)))
    }

    // MARK: - Values

    /// The value as a setting of the kind has it; `nil` where JSON has another type.
    private func plain(_ value: JSONValue, _ kind: ValueKind) -> PlainValue? {
        switch (kind, value) {
        case (.string, .string(let text)), (.duration, .string(let text)), (.byteSize, .string(let text)), (.choice, .string(let text)):
            .string(text)
        case (.boolean, .boolean(let flag)): .boolean(flag)
        // The words of a choice may look like anything.
        case (.choice, .boolean(let flag)): .string(String(flag))
        case (.integer, .integer(let number)), (.number, .integer(let number)): .integer(number)
        case (.byteSize, .integer(let number)), (.choice, .integer(let number)): .string(String(number))
        case (.integer, .number(let number)): Int(exactly: number).map { .integer($0) }
        case (.number, .number(let number)): number.isFinite ? .number(number) : nil
        case (.list(let item), .array(let values)): list(values, item)
        default: nil
        }
    }

    private func list(_ values: [JSONValue], _ item: ValueKind) -> PlainValue? {
        let items = values.compactMap { plain($0, item) }
        return items.count == values.count ? .list(items) : nil
    }

    /// `{"secret":true,"set":true,"fingerprint":"hmac:…"}`, as answers show a secret.
    private func isRedaction(_ value: JSONValue) -> Bool {
        guard value["secret"]?.boolean == true, value["set"]?.boolean != nil else { return false }
        return value.members.keys.allSatisfy { ["secret", "set", "fingerprint"].contains($0) }
    }
}

extension JSONValue {
    fileprivate var isSection: Bool { if case .object = self { self["secret"]?.boolean != true } else { false } }

    /// What a value that no schema knows is taken for.
    fileprivate var kind: ValueKind {
        switch self {
        case .boolean: .boolean
        case .integer, .number: .number
        case .array: .list(of: .string(format: nil))
        case .null, .string, .object: .string(format: nil)
        }
    }
}

extension PlainValue {
    /// The text inside an encrypted value. Nothing in it is quoted, so `nil` for a list that would read back as another.
    fileprivate var sealable: String? {
        guard case .list(let items) = self else { return description }
        let texts = items.map(\.description)
        return ValueText.literalItems(texts.joined(separator: ",")) == texts ? texts.joined(separator: ",") : nil
    }
}

extension UInt8 {
    fileprivate var isLetter: Bool {
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= self || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= self || self == UInt8(ascii: "_")
    }
}
