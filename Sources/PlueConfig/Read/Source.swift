public import SystemPackage

/// Where candidates come from. ``DirectorySource`` reads files; ``MemorySource`` holds texts, for tests and for programs
/// that get them elsewhere.
public protocol Source: Sendable {
    /// Reads everything that counts for an environment, whole: what cannot be read is a problem of the candidate.
    func read(_ environment: EnvironmentName) async -> Candidate

    /// The files and directories whose change may mean a different candidate.
    func watchedPaths(for candidate: Candidate) -> Set<FilePath>
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

    public func read(_ environment: EnvironmentName) async -> Candidate { candidate(environment) }

    public func watchedPaths(for candidate: Candidate) -> Set<FilePath> { [] }
}

extension Candidate {
    /// A candidate of documents in memory, by file name, as a directory would hold them.
    public init(environment: EnvironmentName, texts: [String: String], variables: [String: String] = [:], overrides: [Override] = []) {
        let listing = ProfileDirectory(names: Array(texts.keys))
        let selection = listing.select(environment) { name in
            texts[name].map { Array($0.utf8) }
        } display: {
            $0
        }
        self.init(
            environment: environment, documents: selection.documents, variables: variables, overrides: overrides,
            problems: selection.problems(for: environment, in: ""))
    }
}
