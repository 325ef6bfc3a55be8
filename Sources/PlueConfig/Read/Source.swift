public import SystemPackage

/// Where candidates come from. ``DirectorySource`` reads files; ``MemorySource`` holds texts, for tests and for programs
/// that get them elsewhere.
public protocol Source: Sendable {
    /// Reads everything that counts for an environment, whole: what cannot be read is a problem of the candidate.
    /// - Parameter changes: What documents are taken to hold, whatever they hold now; `nil` for one that is taken to be gone.
    func read(_ environment: EnvironmentName, assuming changes: [String: [UInt8]?]) async -> Candidate

    /// The files and directories whose change may mean a different candidate.
    func watchedPaths(for candidate: Candidate) -> Set<FilePath>

    /// Writes documents, each only if it still holds what its change was made from.
    /// - Parameter isInPlaceAllowed: Whether one that cannot be replaced as a whole may be written over.
    /// - Throws: ``WriteRefusal``; some may be written then.
    func write(_ changes: [DocumentChange], isInPlaceAllowed: Bool) async throws(WriteRefusal)

    /// Takes changes back that were written, in part or not at all, and removes what writing left behind.
    /// - Throws: ``WriteRefusal`` when one could not be put back or holds something else by now.
    func restore(_ changes: [DocumentChange], isInPlaceAllowed: Bool) async throws(WriteRefusal)
}

extension Source {
    /// Reads everything that counts for an environment, as it is.
    public func read(_ environment: EnvironmentName) async -> Candidate { await read(environment, assuming: [:]) }

    public func write(_ changes: [DocumentChange], isInPlaceAllowed: Bool) async throws(WriteRefusal) {
        throw WriteRefusal(.readOnlySource, "")
    }

    public func restore(_ changes: [DocumentChange], isInPlaceAllowed: Bool) async throws(WriteRefusal) {}
}

/// A candidate as it was given, changed by hand.
public struct MemorySource: Source {
    private let candidate: @Sendable (EnvironmentName) -> Candidate

    /// A source whose texts may change between reads.
    public init(_ candidate: @escaping @Sendable (EnvironmentName) -> Candidate) { self.candidate = candidate }

    /// A source of fixed documents, by file name: `["base.ini": "…", "production.ini": "…"]`.
    public init(_ texts: [String: String], variables: [String: String] = [:]) {
        self.init { environment in
            Candidate(environment: environment, texts: texts, variables: variables)
        }
    }

    public func read(_ environment: EnvironmentName, assuming changes: [String: [UInt8]?]) async -> Candidate {
        let candidate = candidate(environment)
        guard !changes.isEmpty else { return candidate }
        var texts = Dictionary(candidate.documents.map { ($0.name, $0.bytes) }, uniquingKeysWith: { $1 })
        for (name, bytes) in changes { texts[name] = bytes }
        return Candidate(
            environment, stored: texts.map { StoredDocument(name: $0.key, bytes: $0.value) }, variables: candidate.variables,
            overrides: candidate.overrides, keys: candidate.keys)
    }

    public func watchedPaths(for candidate: Candidate) -> Set<FilePath> { [] }
}

extension Candidate {
    /// A candidate of documents in memory, by file name, as a directory would hold them.
    public init(
        environment: EnvironmentName, texts: [String: String], variables: [String: String] = [:], overrides: [Override] = [],
        keys: SecretKeys? = nil
    ) {
        let listing = ProfileDirectory(names: Array(texts.keys))
        let selection = listing.select(environment) { name in
            texts[name].map { Array($0.utf8) }
        } display: {
            $0
        }
        self.init(
            environment: environment, documents: selection.documents, variables: variables, overrides: overrides, keys: keys,
            problems: selection.problems(for: environment, in: ""))
    }
}
