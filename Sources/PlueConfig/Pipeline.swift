import PlueDocuments

/// The road that every candidate takes, whoever asked: read this first.
///
/// Up to the plan nothing here does I/O: the same candidate and schema always give the same result, with every problem
/// found at once. ``ConfigManager`` reads candidates and carries plans out.
struct Pipeline<Root: Settings>: Sendable {
    let schema: Schema<Root>
    /// The schema's model with the application's own sections, if it has some.
    let model: SectionModel
    let services: ServiceSet<Root>
    let files: any FileAccess
    var stages = Stages()

    /// Takes a candidate from its texts to the plan of what it would change.
    func plan(_ candidate: Candidate, beside running: Snapshot<Root>?) throws(Rejection) -> Planned<Root> {
        // Parse: PlueDocuments
        let (documents, readingProblems) = try stages.run(.parse) { () throws(Rejection) in try parse(candidate) }
        // Layer/
        let (layers, overrideProblems) = stages.run(.layer) { stack(documents, under: candidate, for: model) }
        // Resolve/
        let resolution = stages.run(.resolve) { resolve(layers, with: model, in: candidate) }
        // Validate/
        let (snapshot, all) = try stages.run(.validate) { () throws(Rejection) in
            let (snapshot, problems) = Snapshot.validate(
                resolution, by: schema, including: model, digest: candidate.digest,
                in: RuleContext(environment: candidate.environment, files: files, time: candidate.readAt),
                files: candidate.watchedFiles, beside: running)
            let all = (readingProblems + overrideProblems + resolution.problems + problems).sortedByPlace()
            guard let snapshot, !all.hasErrors else { throw Rejection(phase: .validate, diagnostics: all, layers: layers) }
            return (snapshot, all)
        }
        // Plan/
        let plan = stages.run(.plan) { Plan(from: running, to: snapshot, services: services, warnings: all) }
        return Planned(candidate: candidate, snapshot: snapshot, plan: plan, layers: layers)
    }

    /// Parses the documents, all or none, and reports everything that is wrong with any of them.
    private func parse(_ candidate: Candidate) throws(Rejection) -> (documents: [ParsedDocument], warnings: [Diagnostic]) {
        var documents: [ParsedDocument] = []
        var problems = candidate.problems
        for text in candidate.documents {
            do {
                let document = try Document(parsing: text.bytes, name: text.displayName)
                problems += Profile(document, role: text.role).problems
                documents.append(ParsedDocument(document: document, role: text.role))
            } catch {
                problems += error.diagnostics(of: text.bytes, inFile: text.displayName, schema: model)
            }
        }
        guard !problems.hasErrors else { throw Rejection(phase: .parse, diagnostics: problems.sortedByPlace()) }
        return (documents, problems)
    }
}

/// A document and the layer it is.
struct ParsedDocument: Sendable {
    let document: Document
    let role: SourceText.Role
}

/// A candidate that passed every check, and what committing it would do.
public struct Planned<Root: Settings>: Sendable {
    /// The documents that were checked.
    public let candidate: Candidate
    /// What they say, validated.
    public let snapshot: Snapshot<Root>
    /// What running them would change.
    public internal(set) var plan: Plan
    /// Every layer's values, for `explain`.
    public let layers: LayerStack
}

/// Why a candidate goes no further; nothing has been touched.
public struct Rejection: Error, Sendable {
    /// The stage that refused it.
    public let phase: Attempt.Phase
    /// Everything that is wrong, by place; warnings included.
    public let diagnostics: [Diagnostic]
    /// Every layer's values, for `explain`; `nil` when it did not come that far.
    public var layers: LayerStack?
}

extension Rejection: CustomStringConvertible, CustomReflectable {
    /// What is wrong, a sentence each. The layers are left out: the documents in them may hold anything.
    public var description: String { diagnostics.map(\.message).joined(separator: "; ") }

    public var customMirror: Mirror { Mirror(self, children: ["phase": phase, "diagnostics": diagnostics]) }
}

extension Planned {
    /// Takes a candidate down the road up to the plan, against nothing: the check of a program that does not run.
    ///
    /// Blocks where files that settings name have to be read yet.
    /// - Parameter extraSections: The application's own sections, beside those of the settings struct.
    public static func plan(
        _ candidate: Candidate, extraSections: SectionModel? = nil, files: any FileAccess = SystemFiles()
    ) -> Result<Planned, Rejection> {
        let model = extraSections.map { Root.schema.model.merging($0) } ?? Root.schema.model
        let pipeline = Pipeline(schema: Root.schema, model: model, services: ServiceSet<Root>(), files: files)
        var candidate = candidate
        candidate.readWatchedFiles(by: model, files)
        return Result { () throws(Rejection) in try pipeline.plan(candidate, beside: nil) }
    }
}
