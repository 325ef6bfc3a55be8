/// How changes are noticed and how long each phase may take; itself configurable, so it follows the running settings.
public struct ReloadPolicy: Sendable, Hashable {
    /// How files are watched.
    public var watch: FileWatch.Mode = .auto
    /// How often files are compared when nothing reports a change.
    public var pollInterval: Duration = .seconds(10)
    /// Longest a service may take to prepare.
    public var prepareTimeout: Duration = .seconds(10)
    /// Longest a service may take to verify.
    public var verifyTimeout: Duration = .seconds(5)
    /// Whether an empty or missing document is taken at its word, and a candidate that drops most settings too.
    public var allowsEmpty = false
    /// Whether a document that nothing can be renamed onto may be written over where it is.
    public var allowsInPlace = false
    /// How long a document may be empty or missing before that is reported: editors and copies do it for a moment.
    public var emptyGrace: Duration = .seconds(2)

    public init() {}
}
