public import PlueConfig
import PlueDocuments
import PlueSecrets

extension Deployment {
    /// Encrypts a text for a setting, as the document that it is for holds it.
    /// - Parameter text: The document; what it holds now is kept when it holds the same.
    /// - Throws: ``SealingError``; ``ConfigurationError``.
    public func encrypted(_ plaintext: Secret<String>, for key: SettingKey, in text: SourceText) throws -> String {
        let type = try model().setting(for: key)?.kind.name ?? "string"
        let place = ValuePlace(
            application: application, SecretPlace(profile: text.role.secretProfile, key: key, type: type))
        let document = try? Document(parsing: text.bytes, name: text.displayName)
        let old = document.flatMap { document in
            document.firstEntry(section: key.section, key: key.name).map { document.text(of: $0) }
        }
        return try secrets.sealed(plaintext, at: place, keeping: old)
    }
}
