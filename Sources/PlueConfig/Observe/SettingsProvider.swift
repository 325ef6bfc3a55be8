public import Configuration

/// The running settings for libraries that take a swift-configuration `ConfigReader`: already layered, validated and typed, and
/// newer with every commit.
///
/// ```swift
/// let config = ConfigReader(provider: manager.provider)
/// let client = HTTPClient(configReader: config.scoped(to: "http.client"))
/// ```
///
/// `["http", "port"]` is the key `port` of `[http]`; a library's `maxBodySize` also finds `max_body_size`. A setting that no layer
/// sets has its schema's default as a real value, one that the schema marks secret is secret, durations read as numbers are
/// seconds and sizes bytes. Give it to the reader alone: a provider stacked above it would bypass the schema.
public struct SettingsProvider<Root: Settings>: ConfigProvider {
    private let snapshots: CurrentSnapshot<Root>
    private let observers: Observers<Root>

    init(_ snapshots: CurrentSnapshot<Root>, _ observers: Observers<Root>) {
        self.snapshots = snapshots
        self.observers = observers
    }

    public var providerName: String { SettingsSnapshot.providerName }

    /// The value that runs.
    /// - Throws: ``SettingTypeMismatch`` when it is not of that type.
    public func value(forKey key: AbsoluteConfigKey, type: ConfigType) throws -> LookupResult {
        try snapshots.latest.settings.lookUp(key, as: type)
    }

    /// The value that runs: everything has been fetched by the time it runs.
    public func fetchValue(forKey key: AbsoluteConfigKey, type: ConfigType) async throws -> LookupResult {
        try value(forKey: key, type: type)
    }

    /// Gives the value, then every other that a commit makes of it, whatever its type; a slow consumer sees the newest.
    public func watchValue<Return: ~Copyable>(
        forKey key: AbsoluteConfigKey, type: ConfigType,
        updatesHandler: (_ updates: ConfigUpdatesAsyncSequence<Result<LookupResult, any Error>, Never>) async throws -> Return
    ) async throws -> Return {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Result<LookupResult, any Error>.self, bufferingPolicy: .bufferingNewest(1))
        let id = feed { publication in
            let new = Result { try publication.new.settings.lookUp(key, as: type) }
            if let old = publication.old, new.isSame(as: Result { try old.settings.lookUp(key, as: type) }) { return }
            continuation.yield(new)
        }
        defer { observers.remove(id) }
        return try await updatesHandler(ConfigUpdatesAsyncSequence(stream))
    }

    /// All settings of one version: what is read from it belongs together.
    public func snapshot() -> any ConfigSnapshot { SettingsSnapshot(settings: snapshots.latest.settings) }

    /// Gives the running version's settings, then those of every version after it; a slow consumer sees the newest.
    public func watchSnapshot<Return: ~Copyable>(
        updatesHandler: (_ updates: ConfigUpdatesAsyncSequence<any ConfigSnapshot, Never>) async throws -> Return
    ) async throws -> Return {
        let (stream, continuation) = AsyncStream.makeStream(of: (any ConfigSnapshot).self, bufferingPolicy: .bufferingNewest(1))
        let id = feed { continuation.yield(SettingsSnapshot(settings: $0.new.settings)) }
        defer { observers.remove(id) }
        return try await updatesHandler(ConfigUpdatesAsyncSequence(stream))
    }

    private func feed(_ observe: @escaping @Sendable (Publication<Root>) -> Void) -> UInt64 {
        let snapshots = snapshots
        return observers.addFeed(seeing: { snapshots.latest }, observe)
    }
}

extension ConfigManager {
    /// The settings for libraries that take a swift-configuration `ConfigReader`; see ``SettingsProvider``.
    public var provider: SettingsProvider<Root> { SettingsProvider(snapshots, observers) }
}

/// One version's settings as swift-configuration reads them.
private struct SettingsSnapshot: ConfigSnapshot {
    static let providerName = "Plue"
    let settings: SettingTable

    var providerName: String { Self.providerName }

    func value(forKey key: AbsoluteConfigKey, type: ConfigType) throws -> LookupResult { try settings.lookUp(key, as: type) }
}

extension SettingTable {
    fileprivate func lookUp(_ key: AbsoluteConfigKey, as type: ConfigType) throws(SettingTypeMismatch) -> LookupResult {
        let found = setting(at: key.components) ?? setting(at: key.components.map(\.snakeCased))
        let name = found?.key.description ?? key.components.joined(separator: ".")
        guard let found, let plain = found.content.value else { return LookupResult(encodedKey: name, value: nil) }
        guard let content = ConfigContent(plain, of: found.model.kind, as: type) else {
            throw SettingTypeMismatch(key: name, kind: found.model.kind, requested: type)
        }
        return LookupResult(encodedKey: name, value: ConfigValue(content, isSecret: found.model.isSecret))
    }
}

extension Result<LookupResult, any Error> {
    /// Whether a watcher of the one need not be told of the other.
    fileprivate func isSame(as other: Self) -> Bool {
        switch (self, other) {
        case (.success(let left), .success(let right)): left == right
        case (.failure, .failure): true
        default: false
        }
    }
}

extension String {
    /// `maxBodySize` as this dialect's files write it: `max_body_size`; a run of capitals is one word, `requestURL` → `request_url`.
    fileprivate var snakeCased: String {
        var words = ""
        var previous: Character = "_"
        var rest = self[...]
        while let character = rest.popFirst() {
            let startsWord = character.isUppercase && previous != "_" && (!previous.isUppercase || rest.first?.isLowercase == true)
            if startsWord { words += "_" }
            words += character.lowercased()
            previous = character
        }
        return words
    }
}
