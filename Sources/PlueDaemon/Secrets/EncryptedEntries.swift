public import PlueConfig
import PlueDocuments
public import PlueSecrets

/// An encrypted value as it stands in a document.
public struct EncryptedEntry: Hashable, Sendable {
    /// Inside the configuration directory: `production.ini`.
    public let document: String
    public let place: SecretPlace
    /// As it is written, `enc:v1:…`.
    public let token: String
    public let location: Location

    /// The key it says it is encrypted with; `nil` for what is no encrypted value of this format.
    public var keyID: KeyID? { (try? EncryptedValue(parsing: token))?.keyID }
}

/// The encrypted values of a configuration directory, of all its profiles.
public struct EncryptedEntries: Sendable {
    public let entries: [EncryptedEntry]
    /// The documents they stand in, and the others.
    let documents: [SourceText]

    /// - Parameter schema: Gives settings their types, which values are bound to.
    /// - Throws: ``ConfigurationError/invalid(_:)`` for a document that does not parse: what is in it cannot be known.
    init(_ documents: [SourceText], schema: SectionModel) throws(ConfigurationError) {
        var entries: [EncryptedEntry] = []
        var problems: [Diagnostic] = []
        for text in documents {
            do {
                let document = try Document(parsing: text.bytes, name: text.displayName)
                entries += Self.entries(of: document, text, schema)
            } catch {
                problems += error.diagnostics(of: text.bytes, inFile: text.displayName, schema: schema)
            }
        }
        guard problems.isEmpty else { throw .invalid(problems) }
        self.entries = entries
        self.documents = documents
    }

    private static func entries(of document: Document, _ text: SourceText, _ schema: SectionModel) -> [EncryptedEntry] {
        document.sections.flatMap { section in
            document.entries[section.entries].compactMap { entry in
                let token = document.text(of: entry)
                guard token.isEncryptedValue, entry.form != .singleQuoted else { return nil }
                let key = SettingKey(section: section.name, name: document.key(of: entry))
                // A value that no schema knows cannot be a setting; its document is refused for that.
                let type = schema.setting(for: key)?.kind.name ?? "string"
                let start = document.place(of: Int(entry.valueRange.start))
                return EncryptedEntry(
                    document: text.name, place: SecretPlace(profile: text.role.secretProfile, key: key, type: type), token: token,
                    location: Location(
                        file: text.displayName, line: start.line, column: start.column, endLine: start.line, endColumn: start.column))
            }
        }
    }
}

extension Deployment {
    /// The encrypted values in all documents of the directory.
    /// - Throws: ``ConfigurationError``; ``FileReadError``.
    public func encryptedEntries() async throws -> EncryptedEntries {
        try EncryptedEntries(try await source.everyDocument(), schema: try model())
    }

    /// What does not open, as diagnostics at their places.
    public func unopenable(_ entries: [EncryptedEntry]) -> [Diagnostic] {
        entries.compactMap { entry in
            do throws(OpeningError) {
                _ = try secrets.open(entry.token, at: ValuePlace(application: application, entry.place))
                return nil
            } catch {
                return Diagnostic(
                    OpeningError.code, key: entry.place.key, at: entry.location, "\(entry.place.key) \(error)", hint: error.hint)
            }
        }
    }
}
