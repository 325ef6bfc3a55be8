import Crypto
public import PlueConfig
import Synchronization
public import SystemPackage

/// Opens and seals values with the keyring of a file, which may change while the process runs.
///
/// An unchanged value is opened once: what it holds is remembered, in locked memory, as long as its key is there and
/// ``forgetUnused()`` finds it used. A keyring that cannot be read any more changes nothing: the last good one stays.
public final class SecretOpener: Sendable {
    /// The keyring that values are opened with.
    public let file: KeyringFile
    private let state: Mutex<State>

    private struct State {
        var keyring: Result<Keyring, KeyringFileError>
        /// Counts the keyrings.
        var generation = 0
        var opened = OpenedValues()
        var openings = 0
    }

    /// Reads the keyring; blocks. That there is none is no error before a value has to be opened: see ``problem``.
    public init(_ file: KeyringFile) {
        self.file = file
        state = Mutex(State(keyring: Self.read(file)))
    }

    private static func read(_ file: KeyringFile) -> Result<Keyring, KeyringFileError> {
        Result { () throws(KeyringFileError) in try file.read().keyring }
    }

    // MARK: - The keyring

    /// Reads the keyring again; blocks.
    /// - Returns: Whether it is another one than before.
    /// - Throws: ``KeyringFileError``; the keyring that was there is kept.
    @discardableResult
    public func reload() throws(KeyringFileError) -> Bool {
        let read = Self.read(file)
        return try state.withLock { (state) throws(KeyringFileError) in
            switch (state.keyring, read) {
            case (.success, .failure(let error)): throw error
            case (.failure, .failure(let error)):
                state.keyring = read
                throw error
            case (let old, .success(let keyring)):
                guard (try? old.get()) != keyring else { return false }
                state.keyring = read
                state.generation += 1
                state.opened.keep(Set(keyring.entries.lazy.filter { $0.state != .retired }.map(\.id)))
                return true
            }
        }
    }

    /// Why there is no keyring; `nil` when there is one.
    public var problem: KeyringFileError? {
        if case .failure(let error) = state.withLock({ $0.keyring }) { error } else { nil }
    }

    /// The keyring as it was last read; `nil` when there is none.
    public var keyring: Keyring? { state.withLock { try? $0.keyring.get() } }

    /// What the keyring is called by, `sha256:…` over the names and states of its keys; `none` without one. Two candidates with the
    /// same texts and the same digest open the same.
    public var digest: String {
        guard let keyring else { return "none" }
        let text = keyring.entries.map { "\($0.id) \($0.state.rawValue)\n" }.joined()
        return "sha256:" + SHA256.hash(data: Array(text.utf8)).map(hex).joined()
    }

    /// The files whose change may mean another keyring.
    public var watchedPaths: Set<FilePath> { [file.path] }

    // MARK: - Values

    /// Opens a value as it stands in a document.
    public func open(_ token: String, at place: ValuePlace) throws(OpeningError) -> Secret<String> {
        let value: EncryptedValue
        do { value = try EncryptedValue(parsing: token) } catch { throw .malformed(error) }
        return try open(value, at: place)
    }

    private func open(_ value: EncryptedValue, at place: ValuePlace) throws(OpeningError) -> Secret<String> {
        let (known, found, generation) = state.withLock { ($0.opened.secret(of: value, at: place), $0.keyring, $0.generation) }
        if let known { return known }
        let keyring: Keyring
        do { keyring = try found.get() } catch { throw .noKeyring(error) }
        let secret = try keyring.open(value, at: place)
        state.withLock { state in
            state.openings += 1
            // Its key may have been retired meanwhile.
            if state.generation == generation { state.opened.remember(secret, of: value, at: place) }
        }
        return secret
    }

    /// Seals a text with the active key, as a document holds it.
    /// - Parameter old: What the document holds now; it is kept when it holds the same text, so that nothing changes.
    public func sealed(
        _ plaintext: Secret<String>, at place: ValuePlace, keeping old: String? = nil
    ) throws(SealingError) -> String {
        if let old, let held = try? open(old, at: place), held == plaintext { return old }
        let keyring: Keyring
        do { keyring = try state.withLock { $0.keyring }.get() } catch { throw .noKeyring(error) }
        return try keyring.seal(plaintext, at: place).description
    }

    /// Forgets what was opened and not asked for since the last call; to be called when a candidate has become the running version.
    public func forgetUnused() { state.withLock { $0.opened.forgetUnused() } }

    /// How many values were opened with a key, not counting those that were remembered.
    public var openings: Int { state.withLock { $0.openings } }

    /// How many values are remembered.
    var remembered: Int { state.withLock { $0.opened.count } }
}
