public import Synchronization

/// A reader of its own for one task, connection or loop: the cheapest way to read, for where the settings are read constantly.
///
/// It keeps the snapshot it last saw and looks at one number to learn whether there is a newer one.
///
/// ```swift
/// var settings = manager.reader()
/// while let request = try await next() {
///     let limit = settings.read { $0.server.maxBodySize }
/// }
/// ```
public struct Reader<Root: Settings>: ~Copyable {
    @usableFromInline let source: CurrentSnapshot<Root>
    @usableFromInline var publication: UInt64
    @usableFromInline var cached: Snapshot<Root>

    @usableFromInline
    init(_ source: CurrentSnapshot<Root>) {
        self.source = source
        (publication, cached) = source.fetch()
    }

    /// Reads from the running snapshot. What one call reads belongs together.
    @inlinable @inline(__always)
    public mutating func read<Result, Failure: Error>(_ body: (Root) throws(Failure) -> Result) throws(Failure) -> Result {
        if source.publication.load(ordering: .acquiring) != publication { refresh() }
        return try body(cached.value)
    }

    /// The version that the last read saw.
    public var version: Int { cached.version }

    @usableFromInline @inline(never)
    mutating func refresh() {
        (publication, cached) = source.fetch()
    }
}
