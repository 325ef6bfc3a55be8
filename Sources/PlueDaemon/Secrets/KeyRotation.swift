import Foundation
public import PlueConfig
import PlueDocuments
import PlueLedger
public import PlueSecrets
import SystemPackage

/// A rotation of the key that values are encrypted with: a new key becomes active, then every value that an older one encrypts is
/// encrypted again.
///
/// It may be given up, or killed, at any moment: values of several keys beside each other are legal, and a rotation that finds values
/// of older keys goes on with those instead of making another key.
public struct KeyRotation: Sendable {
    private let deployment: Deployment

    public init(_ deployment: Deployment) { self.deployment = deployment }

    /// What the rotation found, and will do.
    public struct Plan: Sendable {
        /// The key that values are encrypted with from now on.
        public let key: KeyID
        /// Whether a rotation that was begun earlier goes on.
        public let isResumed: Bool
        /// What has to be encrypted again, by document.
        public let values: [String: [EncryptedEntry]]
    }

    /// Makes a new key the active one, unless a former rotation did and has not come to its end.
    /// - Parameter makesKey: Whether a new key is made in any case.
    /// - Throws: ``ConfigurationError/invalid(_:)`` with every value that does not open: a rotation would leave those behind for good;
    ///   ``KeyringFileError``, ``KeyringError``, ``FileReadError``.
    public func begin(makingKey makesKey: Bool) async throws -> Plan {
        let entries = try await deployment.encryptedEntries().entries
        let reading = try deployment.secrets.file.read()
        try deployment.secrets.reload()
        let problems = deployment.unopenable(entries)
        guard problems.isEmpty else { throw ConfigurationError.invalid(problems) }
        var keyring = reading.keyring
        let isBehind = entries.contains { $0.keyID != keyring.activeID }
        if makesKey || !isBehind {
            // One that was added and not promoted is as good as a new one.
            if let pending = keyring.entries.first(where: { $0.state == .pending }) {
                try keyring.promote(pending.id)
            } else {
                let key = DataKey()
                try keyring.add(key, created: Date())
                try keyring.promote(key.id)
            }
            try deployment.secrets.file.replace(reading, with: keyring)
            try deployment.secrets.reload()
        }
        guard let active = keyring.activeID else { throw ConfigurationError.history("the keyring has no active key") }
        return Plan(
            key: active, isResumed: isBehind && !makesKey,
            values: Dictionary(grouping: entries.filter { $0.keyID != active }, by: \.document))
    }

    /// The edits that encrypt values again, for the documents that an environment reads: one transaction.
    /// - Throws: ``SealingError``.
    public func edits(for values: [String: [EncryptedEntry]]) throws -> Edits {
        try Edits(values.sorted { $0.key < $1.key }.map { .reencrypt(document: $0.key, try renewed($0.value)) })
    }

    /// Encrypts values again in a document that the environment does not read, which nothing here checks or runs.
    /// - Throws: ``SealingError``, ``WriteRefusal``, ``FileReadError``.
    public func rewrite(_ document: String, _ values: [EncryptedEntry]) async throws {
        let values = try renewed(values)
        for attempt in 1... {
            guard let text = try await deployment.source.everyDocument().first(where: { $0.name == document }) else { return }
            var edited = try Document(parsing: text.bytes, name: document)
            try edited.replaceValues(values)
            do throws(WriteRefusal) {
                let change = DocumentChange(name: document, before: text.bytes, after: edited.bytes)
                return try await deployment.source.write([change], isInPlaceAllowed: false)
            } catch {
                // Somebody saved it in between: what they saved is encrypted again.
                guard error.cause == .changedMeanwhile, attempt < 5 else { throw error }
            }
        }
    }

    private func renewed(_ values: [EncryptedEntry]) throws -> [String: String] {
        guard let keyring = deployment.secrets.keyring else { throw SealingError.noKeyring(.missing(deployment.secrets.file.path)) }
        var renewed: [String: String] = [:]
        for entry in values {
            let place = ValuePlace(application: deployment.application, entry.place)
            renewed[entry.token] = try keyring.resealed(try EncryptedValue(parsing: entry.token), at: place).description
        }
        return renewed
    }

    // MARK: - What keys are needed for

    /// How many values of the documents, and which kept versions, each key is needed for.
    public struct Usage: Sendable {
        public let key: KeyID
        /// `nil` for a key that is not in the keyring.
        public let state: Keyring.State?
        public var values = 0
        public var documents: Set<String> = []
        public var versions: Set<Int> = []

        /// What still needs it, in words; empty when nothing does.
        public var users: [String] {
            documents.sorted()
                + (versions.max().map { ["\(versions.count) kept version\(versions.count == 1 ? "" : "s"), the newest \($0)"] } ?? [])
        }
    }

    /// - Throws: ``ConfigurationError``, ``FileReadError``, ``KeyringFileError``, or the ledger's error.
    public func usage() async throws -> [Usage] {
        let keyring = try deployment.secrets.file.read().keyring
        var usage: [KeyID: Usage] = [:]
        for entry in keyring.entries { usage[entry.id] = Usage(key: entry.id, state: entry.state) }
        for entry in try await deployment.encryptedEntries().entries {
            guard let id = entry.keyID else { continue }
            usage[id, default: Usage(key: id, state: nil)].values += 1
            usage[id]?.documents.insert(entry.document)
        }
        if SystemFiles().status(of: deployment.stateDirectory.appending("plue.db")) != nil {
            for (version, keys) in try await Ledger.reading(deployment.stateDirectory).search(Self.keys) {
                for id in keys { usage[id, default: Usage(key: id, state: nil)].versions.insert(version) }
            }
        }
        return usage.values.sorted { $0.key < $1.key }
    }

    /// The keys that values in a document's bytes name, wherever they stand in it.
    @Sendable private static func keys(in bytes: [UInt8]) -> Set<KeyID> {
        let mark = Array("enc:v1:".utf8)
        guard bytes.firstRange(of: mark) != nil, let document = try? Document(parsing: bytes, name: "") else { return [] }
        return Set(document.entries.compactMap { (try? EncryptedValue(parsing: document.text(of: $0)))?.keyID })
    }
}
