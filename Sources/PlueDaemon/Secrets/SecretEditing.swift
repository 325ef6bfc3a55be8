import Foundation
public import PlueConfig
import PlueDocuments
import PlueSecrets
import SystemPackage

/// A document whose encrypted values are shown as text while a person edits it, and encrypted again afterwards.
///
/// An encrypted value becomes `enc:edit:"…"`, the text in JSON's quotes; a value that is to be encrypted from now on is written the
/// same way. What was not changed keeps the encrypted value that it had.
public struct SecretEditing: Sendable {
    private let deployment: Deployment
    private let name: String
    private let role: SourceText.Role
    private let schema: SectionModel
    private let original: Document

    static let mark = "enc:edit:"

    /// - Parameter bytes: What the document holds; empty for one that is not there yet.
    /// - Throws: ``ConfigurationError/invalid(_:)`` for a document that does not parse.
    public init(_ text: SourceText, of deployment: Deployment) throws {
        self.deployment = deployment
        name = text.name
        role = text.role
        schema = try deployment.model()
        do {
            original = try Document(parsing: text.bytes, name: text.displayName)
        } catch {
            throw ConfigurationError.invalid(error.diagnostics(of: text.bytes, inFile: text.displayName, schema: schema))
        }
    }

    /// The document with its encrypted values in plain text. Keep it where nobody else can read.
    /// - Throws: ``ConfigurationError/invalid(_:)`` with every value that does not open.
    public func opened() throws -> [UInt8] {
        var problems: [Diagnostic] = []
        var texts: [(key: SettingKey, text: String)] = []
        forEachEntry(of: original) { key, entry, text in
            guard text.isEncryptedValue, entry.form != .singleQuoted else { return }
            do throws(OpeningError) {
                let secret = try deployment.secrets.open(text, at: place(of: key))
                texts.append((key, secret.withExposed { Self.mark + JSONValue.string($0).text() }))
            } catch {
                problems.append(
                    Diagnostic(OpeningError.code, key: key, at: location(of: entry, in: original), "\(key) \(error)", hint: error.hint))
            }
        }
        guard problems.isEmpty else { throw ConfigurationError.invalid(problems) }
        var document = original
        for (key, text) in texts {
            do {
                try document.set(key.name, in: key.section, to: text)
            } catch {
                // A comment follows in the line, and would be a part of what does not end with a quote.
                let quoted = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                try document.set(key.name, in: key.section, to: "\"\(quoted)\"")
            }
        }
        return document.bytes
    }

    /// The document as it is to be written: what is marked is encrypted.
    /// - Throws: ``ConfigurationError/invalid(_:)`` with every mistake; ``SealingError``.
    public func sealed(_ bytes: [UInt8]) throws -> [UInt8] {
        let edited: Document
        do {
            edited = try Document(parsing: bytes, name: original.name)
        } catch {
            throw ConfigurationError.invalid(error.diagnostics(of: bytes, inFile: original.name, schema: schema))
        }
        var problems: [Diagnostic] = []
        var tokens: [(key: SettingKey, token: String)] = []
        try forEachEntry(of: edited) { key, entry, text in
            guard text.hasPrefix(Self.mark) else { return }
            guard let plaintext = (try? JSONValue(parsing: Array(text.dropFirst(Self.mark.count).utf8), name: name))?.string else {
                problems.append(
                    Diagnostic(
                        "edit", key: key, at: location(of: entry, in: edited),
                        "\(key) is marked to be encrypted, but its text is not readable",
                        hint: "write \(Self.mark)\"the text\", with \\\" for a quote and \\n for a new line"))
                return
            }
            let old = original.firstEntry(section: key.section, key: key.name).map { original.text(of: $0) }
            tokens.append((key, try deployment.secrets.sealed(Secret(plaintext), at: place(of: key), keeping: old)))
        }
        guard problems.isEmpty else { throw ConfigurationError.invalid(problems) }
        var document = edited
        for (key, token) in tokens { try document.set(key.name, in: key.section, to: token) }
        return document.bytes
    }

    private func forEachEntry(
        of document: Document, _ body: (SettingKey, Document.Entry, String) throws -> Void
    ) rethrows {
        for section in document.sections {
            for entry in document.entries[section.entries] {
                try body(SettingKey(section: section.name, name: document.key(of: entry)), entry, document.text(of: entry))
            }
        }
    }

    private func place(of key: SettingKey) -> ValuePlace {
        let type = schema.setting(for: key)?.kind.name ?? "string"
        return ValuePlace(application: deployment.application, SecretPlace(profile: role.secretProfile, key: key, type: type))
    }

    /// Without extent and text: what is edited here is secret.
    private func location(of entry: Document.Entry, in document: Document) -> Location {
        let start = document.place(of: Int(entry.valueRange.start))
        return Location(file: document.name, line: start.line, column: start.column, endLine: start.line, endColumn: start.column)
    }
}

extension Deployment {
    /// A document of the environment by its name, empty when it is not there yet.
    /// - Throws: ``ConfigurationError/invalid(_:)`` for a name that is none.
    public func document(named name: String?) async throws -> SourceText {
        let candidate = await source.read(environment)
        let name = name ?? "\(environment).ini"
        if let found = candidate.documents.first(where: { $0.name == name }) { return found }
        guard let role = SourceText.Role(documentName: name) else {
            throw ConfigurationError.invalid([
                Diagnostic(
                    "document-name", "'\(VisibleText.of(name))' is not a document's name", hint: "name base.ini or \(environment).ini")
            ])
        }
        return SourceText(name: name, displayName: directory.appending(name).string, role: role, bytes: [])
    }

    /// The document in which a setting's value stands: the highest of the layers that has it, else the environment's own.
    public func document(holding key: SettingKey) async throws -> SourceText {
        let candidate = await source.read(environment)
        for text in candidate.documents.reversed() {
            guard let document = try? Document(parsing: text.bytes, name: text.displayName) else { continue }
            if document.firstEntry(section: key.section, key: key.name) != nil { return text }
        }
        return try await document(named: nil)
    }
}
