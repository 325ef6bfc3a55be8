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

extension EditedCandidate {
    /// The same, keeping beside each document a copy of what would be lost: text that no version holds, because it was saved
    /// and never ran. `production.ini` becomes `production.ini.saved-1a2b3c4d`, which nothing reads.
    /// - Parameter running: The documents of the version that runs.
    func keepingUnrecorded(beside running: [StoredDocument]) -> EditedCandidate {
        let recorded = Dictionary(running.map { ($0.name, $0.bytes) }, uniquingKeysWith: { $1 })
        let copies = writes.compactMap { change -> DocumentChange? in
            guard replaced.contains(change.name), let lost = change.before, !lost.isEmpty, lost != recorded[change.name] else { return nil }
            let digest = DocumentDigest.of([StoredDocument(name: "", bytes: lost)], in: "copy")
            return DocumentChange(name: "\(change.name)\(DocumentChange.copyMark)\(digest.suffix(8))", before: nil, after: lost)
        }
        // First: when a copy cannot be made, nothing is overwritten.
        return EditedCandidate(original: original, candidate: candidate, writes: copies + writes, replaced: replaced)
    }
}

extension EditedCandidate {
    /// A warning for each document of which a copy is kept.
    var copyWarnings: [Diagnostic] {
        writes.filter(\.isCopy).map {
            Diagnostic("kept-copy", severity: .warning, "what was edited and did not run is overwritten; a copy is kept in \($0.name)")
        }
    }
}

extension DocumentChange {
    /// What the name of a document's copy goes on with.
    static let copyMark = ".saved-"

    /// Whether this makes a copy of a document that is about to be overwritten.
    var isCopy: Bool { name.contains(Self.copyMark) }
}

extension Source {
    /// What brings back the version before one that nobody confirmed in time.
    /// - Throws: ``Rejection``; a ``TellableError`` when the history does not hold it.
    func takingBack(
        _ expired: Confirmation, _ environment: EnvironmentName, schema: SectionModel, files: any FileAccess, from recorder: any Recorder
    ) async throws -> EditedCandidate {
        guard let documents = try await recorder.documents(of: expired.fallback) else {
            throw ServiceRefusal("version \(expired.fallback), to which to go back, is not in the history")
        }
        let unconfirmed = try await recorder.documents(of: expired.version) ?? []
        return try await edited(environment, by: Edits([.restore(documents)]), schema: schema, files: files).keepingUnrecorded(
            beside: unconfirmed)
    }

    /// Reads the documents, makes the edits, and reads again as if they were written: what a profile extends, which drop-ins
    /// count and which secrets are named may have changed with them.
    /// - Throws: ``Rejection`` with a diagnostic for every edit that cannot be made.
    /// - Parameter files: Where the files that settings name are read.
    package func edited(
        _ environment: EnvironmentName, by edits: Edits, schema: SectionModel, files: any FileAccess = SystemFiles()
    ) async throws(Rejection) -> EditedCandidate {
        let original = await read(environment, watchingBy: schema, files)
        let writes = try original.changes(making: edits, schema: schema)
        let changes = Dictionary(writes.map { ($0.name, $0.after) }, uniquingKeysWith: { $1 })
        return EditedCandidate(
            original: original,
            candidate: changes.isEmpty ? original : await read(environment, assuming: changes, watchingBy: schema, files),
            writes: writes, replaced: edits.replacedDocuments(of: original))
    }
}

extension Edits {
    func replacedDocuments(of candidate: Candidate) -> Set<String> {
        var names: Set<String> = []
        for step in steps {
            switch step {
            case .replace(let name, _), .removeDocument(let name): names.insert(name)
            case .restore(let documents): names.formUnion(documents.map(\.name) + candidate.documents.map(\.name))
            case .set, .setIn, .reencrypt, .remove, .removeSection, .impossible: continue
            }
        }
        return names
    }
}
