import PlueDocuments
import SystemPackage
import Testing

@testable import PlueConfig

/// The road up to the plan, over documents in memory.
struct Road<Root: Settings> {
    var texts: [String: String]
    var environment: EnvironmentName = .development
    var variables: [String: String] = [:]
    var overrides: [String] = []
    var files: any FileAccess = MemoryFiles()
    var secrets: [String: String] = [:]
    var keys: SecretKeys?

    init(
        _: Root.Type, _ texts: [String: String], environment: EnvironmentName = .development, variables: [String: String] = [:],
        overrides: [String] = []
    ) {
        self.texts = texts
        self.environment = environment
        self.variables = variables
        self.overrides = overrides
    }

    func plan(beside running: Planned<Root>? = nil) throws -> Planned<Root> {
        var candidate = Candidate(
            environment: environment, texts: texts, variables: variables, overrides: try overrides.map { try Override(argument: $0) })
        candidate.keys = keys
        for (path, text) in secrets { candidate.secretFiles[.init(path)] = .success(text) }
        candidate.readWatchedFiles(by: Root.schema.model, files)
        let pipeline = Pipeline(schema: Root.schema, model: Root.schema.model, services: ServiceSet<Root>(), files: files)
        return try pipeline.plan(candidate, beside: running?.snapshot)
    }

    /// The settings, or a failed test.
    func settings() throws -> Root { try plan().snapshot.value }

    /// What is wrong, as `code key line:column`.
    func problems() -> [String] {
        do {
            return try plan().plan.warnings.map(Self.short)
        } catch {
            return (error as? Rejection)?.diagnostics.map(Self.short) ?? ["\(error)"]
        }
    }

    func diagnostics() -> [Diagnostic] {
        do {
            return try plan().plan.warnings
        } catch {
            return (error as? Rejection)?.diagnostics ?? []
        }
    }

    private static func short(_ diagnostic: Diagnostic) -> String {
        let place = diagnostic.location.map { " \($0.file):\($0.line):\($0.column)" } ?? ""
        return "\(diagnostic.code)\(diagnostic.key.map { " \($0)" } ?? "")\(place)"
    }
}
