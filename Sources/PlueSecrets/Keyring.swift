public import Foundation
public import PlueConfig

/// The data keys of an application, exactly one of them active.
///
/// A key goes one way: `pending` (known, so that every machine has it before it is used) → `active` (new values are sealed with it)
/// → `decrypt-only` (old values still open) → `retired` (its bytes are gone; its name stays, so that a value that still asks for it
/// is told from one that never could be opened). Values under different keys may stand side by side at any time.
public struct Keyring: Hashable, Sendable {
    /// In the order in which they were added.
    public private(set) var entries: [Entry]

    /// A key, and what it may still be used for.
    public struct Entry: Hashable, Sendable {
        /// The key's id.
        public let id: KeyID
        /// What it may be used for.
        public fileprivate(set) var state: State
        /// In whole seconds.
        public let created: Date
        /// How the key's bytes are kept in the keyring.
        public let wrapping: Wrapping
        /// `nil` for a retired key.
        fileprivate(set) var key: DataKey?
    }

    /// What a key may be used for.
    public enum State: String, Hashable, Sendable, CaseIterable {
        case pending, active
        case decryptOnly = "decrypt-only"
        case retired
    }

    /// How a key's bytes are kept: `none`, as they are. Others, such as age, are to come.
    public enum Wrapping: String, Hashable, Sendable, CaseIterable {
        case none
    }

    /// The most keys a keyring has, retired ones included: a key a day for years.
    public static let mostKeys = 1024

    /// A keyring with one key, which is active.
    public init(_ key: DataKey, created: Date) {
        entries = [Entry(id: key.id, state: .active, created: created.wholeSeconds, wrapping: .none, key: key)]
    }

    /// - Throws: ``KeyringError`` unless exactly one entry is active and no id comes twice.
    init(checking entries: [Entry]) throws(KeyringError) {
        guard entries.count <= Self.mostKeys else { throw .full }
        var seen = Set<KeyID>()
        for entry in entries {
            guard seen.insert(entry.id).inserted else { throw .duplicate(entry.id) }
        }
        guard entries.contains(where: { $0.state == .active }) else { throw .noActiveKey }
        guard entries.count(where: { $0.state == .active }) == 1 else { throw .severalActiveKeys }
        self.entries = entries
    }

    /// The key with this id.
    public subscript(id: KeyID) -> Entry? { entries.first { $0.id == id } }

    // MARK: - The life of a key

    /// Adds a key that is not used yet.
    public mutating func add(_ key: DataKey, created: Date) throws(KeyringError) {
        guard self[key.id] == nil else { throw .duplicate(key.id) }
        guard entries.count < Self.mostKeys else { throw .full }
        entries.append(Entry(id: key.id, state: .pending, created: created.wholeSeconds, wrapping: .none, key: key))
    }

    /// Makes a pending key the active one; the one that was becomes decrypt-only.
    public mutating func promote(_ id: KeyID) throws(KeyringError) {
        let index = try index(of: id, in: .pending)
        for other in entries.indices where entries[other].state == .active { entries[other].state = .decryptOnly }
        entries[index].state = .active
    }

    /// Lets go of a decrypt-only key's bytes. Nothing that is sealed with it will ever open again.
    /// - Parameter users: What still holds a value that is sealed with it: documents, kept versions. Only the caller can know.
    public mutating func retire(_ id: KeyID, neededBy users: [String]) throws(KeyringError) {
        let index = try index(of: id, in: .decryptOnly)
        guard users.isEmpty else { throw .needed(id, by: users) }
        entries[index].state = .retired
        entries[index].key = nil
    }

    private func index(of id: KeyID, in state: State) throws(KeyringError) -> Int {
        guard let index = entries.firstIndex(where: { $0.id == id }) else { throw .unknown(id) }
        guard entries[index].state == state else { throw .wrongState(id, entries[index].state, needed: state) }
        return index
    }

    // MARK: - Values

    /// The id of the key that new values are sealed with.
    public var activeID: KeyID? { entries.first { $0.state == .active }?.id }

    /// Opens a value with the key it names, and no other.
    public func open(_ value: EncryptedValue, at place: ValuePlace) throws(OpeningError) -> Secret<String> {
        guard let entry = self[value.keyID] else { throw .unknownKey(value.keyID) }
        guard let key = entry.key else { throw .retiredKey(value.keyID) }
        return try Sealing.open(value, with: key, at: place)
    }

    /// Seals a text with the active key.
    public func seal(_ plaintext: Secret<String>, at place: ValuePlace) throws(SealingError) -> EncryptedValue {
        var generator = SystemRandomNumberGenerator()
        return try seal(plaintext, at: place, using: &generator)
    }

    /// - Parameter generator: Where the salt comes from, 24 bytes.
    func seal(
        _ plaintext: Secret<String>, at place: ValuePlace, using generator: inout some RandomNumberGenerator
    ) throws(SealingError) -> EncryptedValue {
        // Every way to a keyring leaves it with one active key.
        guard let key = entries.first(where: { $0.state == .active })?.key else { throw .unavailable }
        let salt = (0..<EncryptedValue.saltCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return try plaintext.withExposedBytes { (bytes) throws(SealingError) in
            try Sealing.seal(bytes, with: key, at: place, salt: salt)
        }
    }

    /// A value sealed anew with the active key, and opened again to be sure; the same value when it is sealed with that key already.
    public func resealed(_ value: EncryptedValue, at place: ValuePlace) throws(SealingError) -> EncryptedValue {
        let plaintext = try opened(value, at: place)
        guard value.keyID != activeID else { return value }
        let sealed = try seal(plaintext, at: place)
        guard try opened(sealed, at: place) == plaintext else { throw .unavailable }
        return sealed
    }

    private func opened(_ value: EncryptedValue, at place: ValuePlace) throws(SealingError) -> Secret<String> {
        do { return try open(value, at: place) } catch { throw .unopenable(error) }
    }
}

extension Date {
    fileprivate var wholeSeconds: Date { Date(timeIntervalSince1970: timeIntervalSince1970.rounded(.down)) }
}

/// Why a keyring cannot be what it was to become.
public enum KeyringError: Error, Hashable, Sendable, CustomStringConvertible {
    case noActiveKey
    case severalActiveKeys
    case duplicate(KeyID)
    case unknown(KeyID)
    case wrongState(KeyID, Keyring.State, needed: Keyring.State)
    /// What still holds values that are sealed with the key.
    case needed(KeyID, by: [String])
    /// There are ``Keyring/mostKeys``.
    case full

    public var description: String {
        switch self {
        case .noActiveKey: "no key is active; exactly one has to be"
        case .severalActiveKeys: "more than one key is active; exactly one has to be"
        case .duplicate(let id): "the key \(id) is in the keyring already"
        case .unknown(let id): "the key \(id) is not in the keyring"
        case .wrongState(let id, let state, let needed): "the key \(id) is \(state.rawValue); it would have to be \(needed.rawValue)"
        case .needed(let id, let users):
            "the key \(id) is still needed by \(users.prefix(12).joined(separator: ", "))\(users.count > 12 ? ", …" : ""); "
                + "run 'plue secret rotate' first"
        case .full: "the keyring has \(Keyring.mostKeys) keys, which is the most"
        }
    }
}
