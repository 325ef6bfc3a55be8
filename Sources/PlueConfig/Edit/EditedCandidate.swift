/// A source's documents with edits made in them, not yet written: the candidate of a change.
public struct EditedCandidate: Sendable {
    /// What the source says now.
    public let original: Candidate
    /// What it would say.
    public let candidate: Candidate
    /// What has to be written for that.
    public let writes: [DocumentChange]
    /// The documents whose contents the edits give as a whole, so that it does not matter what they held.
    let replaced: Set<String>
}

extension Source {
    /// Reads the documents, makes the edits, and reads again as if they were written: what a profile extends, which drop-ins
    /// count and which secrets are named may have changed with them.
    /// - Throws: ``Rejection`` with a diagnostic for every edit that cannot be made.
    package func edited(_ environment: EnvironmentName, by edits: Edits, schema: SectionModel) async throws(Rejection) -> EditedCandidate {
        let original = await read(environment)
        let writes = try original.changes(making: edits, schema: schema)
        let changes = Dictionary(writes.map { ($0.name, $0.after) }, uniquingKeysWith: { $1 })
        return EditedCandidate(
            original: original, candidate: changes.isEmpty ? original : await read(environment, assuming: changes), writes: writes,
            replaced: edits.replacedDocuments(of: original))
    }
}

extension Edits {
    fileprivate func replacedDocuments(of candidate: Candidate) -> Set<String> {
        var names: Set<String> = []
        for step in steps {
            switch step {
            case .replace(let name, _), .removeDocument(let name): names.insert(name)
            case .restore(let documents): names.formUnion(documents.map(\.name) + candidate.documents.map(\.name))
            case .set, .remove, .removeSection: continue
            }
        }
        return names
    }
}
