import Foundation
public import PlueConfig
import PlueDocuments

/// A keyring as its file holds it: an INI document with a section for each key.
///
/// ```ini
/// [key.k3265311639]
/// state = active
/// created = 2026-11-24T06:27:30Z
/// wrapping = none
/// key = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8
/// ```
/// A retired key has `state` and `created` alone. Key bytes are read from the file's bytes and written to them: they never become a
/// `String`, which nobody could erase.
extension Keyring {
    /// The most bytes of a keyring's file.
    static let longestText = 262_144

    /// Reads a keyring, strictly: whatever is not understood is an error, and all errors are reported.
    /// - Parameter name: How messages call the file.
    /// - Throws: ``InvalidKeyring``. What it says holds no byte of a key.
    init(parsing bytes: [UInt8], name: String) throws(InvalidKeyring) {
        let document: Document
        do {
            document = try Document(parsing: bytes, name: name)
        } catch {
            throw InvalidKeyring(
                problems: error.problems.map { problem in
                    Diagnostic(
                        InvalidKeyring.code, at: Location(problem.start, problem.end, in: name), problem.message, hint: problem.hint)
                })
        }
        var reading = KeyringReading(document)
        let entries = document.sections.compactMap { reading.entry($0) }
        guard reading.problems.isEmpty else { throw InvalidKeyring(problems: reading.problems) }
        do {
            try self.init(checking: entries)
        } catch {
            throw InvalidKeyring(problems: [
                Diagnostic(InvalidKeyring.code, at: reading.place(of: error), "the keyring cannot be used: \(error)")
            ])
        }
    }

    /// As a file. The caller erases it.
    var text: [UInt8] {
        var text = Array(
            """
            # Plue's data keys: whoever reads this file can read every encrypted value. It belongs to one user, with mode 0600.
            # Written by 'plue secret'; comments do not stay.

            """.utf8)
        // Room for all, so that growing does not leave copies of keys behind.
        text.reserveCapacity(text.count + entries.count * 256)
        for entry in entries {
            text += "\n[key.\(entry.id)]\nstate = \(entry.state.rawValue)\ncreated = \(entry.created.formatted(.iso8601))\n".utf8
            guard let key = entry.key else { continue }
            text += "wrapping = \(entry.wrapping.rawValue)\nkey = ".utf8
            var digits = key.withBytes { Base64URL.encoded($0) }
            text += digits
            erase(&digits)
            text.append(UInt8(ascii: "\n"))
        }
        return text
    }
}

/// What is wrong with a keyring's text, by place.
public struct InvalidKeyring: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with it, by place; no key among it.
    public let problems: [Diagnostic]

    static let code: DiagnosticCode = "invalid-keyring"

    /// The first problem with its place.
    public var description: String {
        guard let first = problems.first else { return "the keyring cannot be read" }
        let place = first.location.map { "\($0.file):\($0.line):\($0.column): " } ?? ""
        return place + first.message + (problems.count > 1 ? " (and \(problems.count - 1) more)" : "")
    }
}

/// The reading of a keyring's sections, with the problems found on the way.
private struct KeyringReading {
    let document: Document
    private(set) var problems: [Diagnostic] = []
    private var headers: [KeyID: Document.Section] = [:]

    init(_ document: Document) { self.document = document }

    /// One key; `nil` when there is a problem with it.
    mutating func entry(_ section: Document.Section) -> Keyring.Entry? {
        guard section.name.hasPrefix("key."), let id = KeyID(section.name.dropFirst(4)) else {
            report(section.nameRange, "[\(section.name)] is not a key's section, [key.k…] with ten hex digits")
            return nil
        }
        guard headers[id] == nil else {
            report(section.nameRange, "[\(section.name)] is there twice")
            return nil
        }
        headers[id] = section
        var values: [String: Document.Entry] = [:]
        for entry in document.entries[section.entries] {
            let name = document.key(of: entry)
            if ["state", "created", "wrapping", "key"].contains(name) {
                values[name] = entry
            } else {
                report(entry.keyRange, "unknown key '\(name)'; a data key has state, created, wrapping and key")
            }
        }
        let state: Keyring.State? = word(values["state"], "state", in: section)
        let created = date(values["created"], in: section)
        guard let state, let created else { return nil }
        if state == .retired {
            for name in ["wrapping", "key"] {
                guard let entry = values[name] else { continue }
                report(entry.keyRange, "a retired key has no '\(name)'")
            }
            return Keyring.Entry(id: id, state: state, created: created, wrapping: .none, key: nil)
        }
        let wrapping: Keyring.Wrapping? = word(values["wrapping"], "wrapping", in: section)
        guard let wrapping, let key = key(values["key"], of: id, in: section) else { return nil }
        return Keyring.Entry(id: id, state: state, created: created, wrapping: wrapping, key: key)
    }

    /// Where it stands that a keyring as a whole is not right; `nil` when something is missing.
    func place(of error: KeyringError) -> Location? {
        guard error == .severalActiveKeys else { return nil }
        let active = document.entries.filter { document.key(of: $0) == "state" && document.text(of: $0) == Keyring.State.active.rawValue }
        return active.dropFirst().first.map { location(of: $0.valueRange) }
    }

    private mutating func word<Word: RawRepresentable<String> & CaseIterable>(
        _ entry: Document.Entry?, _ name: String, in section: Document.Section
    ) -> Word? {
        guard let entry = required(entry, name, in: section) else { return nil }
        if let word = Word(rawValue: document.text(of: entry)) { return word }
        // Without what was found, which may be a key that was pasted into the wrong line.
        report(entry.valueRange, "'\(name)' must be \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
        return nil
    }

    private mutating func date(_ entry: Document.Entry?, in section: Document.Section) -> Date? {
        guard let entry = required(entry, "created", in: section) else { return nil }
        let text = document.text(of: entry)
        if let date = try? Date(text, strategy: .iso8601), date.formatted(.iso8601) == text { return date }
        report(entry.valueRange, "'created' must be a time such as 2026-11-24T06:27:30Z")
        return nil
    }

    private mutating func key(_ entry: Document.Entry?, of id: KeyID, in section: Document.Section) -> DataKey? {
        guard let entry = required(entry, "key", in: section) else { return nil }
        var bytes = Base64URL.decoded(document.bytes[entry.valueRange.indices]) ?? []
        defer { erase(&bytes) }
        guard let key = DataKey(bytes: bytes) else {
            report(entry.valueRange, "'key' must be 32 bytes in base64url, 43 characters")
            return nil
        }
        guard key.id == id else {
            report(section.nameRange, "the key in [key.\(id)] is not \(id): its name would be \(key.id)")
            return nil
        }
        return key
    }

    private mutating func required(_ entry: Document.Entry?, _ name: String, in section: Document.Section) -> Document.Entry? {
        if entry == nil { report(section.nameRange, "'\(name)' is missing in [\(section.name)]") }
        return entry
    }

    private mutating func report(_ range: SourceRange, _ message: String) {
        problems.append(Diagnostic(InvalidKeyring.code, at: location(of: range), message))
    }

    /// Without the line's text, which may be a key.
    private func location(of range: SourceRange) -> Location {
        Location(document.place(of: Int(range.start)), document.place(of: Int(range.end)), in: document.name)
    }
}

extension Location {
    fileprivate init(_ start: Place, _ end: Place, in file: String) {
        self.init(file: file, line: start.line, column: start.column, endLine: end.line, endColumn: end.column)
    }
}
