/// Questions: each goes down the same road as a change, and stops before anything is touched.
extension ConfigManager {
    /// Reads the sources as they are now.
    public func readCandidate() async -> Candidate { await source.read(environment, watchingBy: schema, options.files) }

    /// The environment whose profile is loaded.
    public var environment: EnvironmentName { first.candidate.environment }

    /// Checks a candidate, and says what committing it would change. Blocks where files that settings name have to be read yet.
    public func plan(_ candidate: Candidate) -> Swift.Result<Planned<Root>, Rejection> {
        let pipeline = Pipeline(schema: Root.schema, model: schema, services: services, files: options.files, stages: options.stages)
        var candidate = candidate
        candidate.readWatchedFiles(by: schema, options.files)
        return Swift.Result { () throws(Rejection) in try pipeline.plan(candidate, beside: snapshots.latest) }
    }

    /// Checks a text in the place of a document.
    public func validate(_ text: String, as document: DocumentRole = .profile) async -> Report {
        var candidate = await readCandidate()
        candidate.replace(document, with: Array(text.utf8))
        switch plan(candidate) {
        case .success(let planned): return Report(diagnostics: planned.plan.warnings)
        case .failure(let rejection): return Report(diagnostics: rejection.diagnostics)
        }
    }

    /// What is kept of former versions and refusals, newest first.
    /// - Throws: ``ConfigurationError/history(_:)``.
    public func history(_ query: HistoryQuery = HistoryQuery()) async throws(ConfigurationError) -> HistoryPage {
        do {
            return try await options.recorder.history(query)
        } catch {
            throw .history("\(error)")
        }
    }

    /// How the configuration stands.
    public var status: Status {
        get async {
            let snapshot = snapshots.latest
            var status = Status(
                state: .running, version: snapshot.version, digest: snapshot.digest, environment: environment, drift: false,
                isLastKnownGood: false, confirmation: nil, lastAttempt: nil, pendingRestart: snapshot.pendingRestart,
                watch: Status.Watch(mode: watch.status.mode.rawValue, reason: watch.status.reason), services: [])
            guard let running else { return status }
            status.state = await running.reloader.state
            status.drift = await running.reloader.drift
            status.isLastKnownGood = await running.reloader.isLastKnownGood
            status.confirmation = await running.reloader.confirmation
            status.lastAttempt = await running.reloader.lastAttempt
            status.services = await running.committer.serviceStates.map { service in
                Status.Service(
                    name: service.name, state: service.isDegraded ? "degraded" : "running", version: snapshot.version,
                    draining: service.draining)
            }
            return status
        }
    }
}

/// The result of a check.
public struct Report: Sendable {
    /// Errors and warnings, by place.
    public let diagnostics: [Diagnostic]
    /// Whether there is no error among them.
    public var isValid: Bool { !diagnostics.hasErrors }
}

/// Which of an environment's documents a text stands for.
public enum DocumentRole: Hashable, Sendable {
    case base
    /// The environment's own.
    case profile
    case dropIn(String)
}

extension Candidate {
    /// Puts other bytes in a document's place, or adds the document where its layer is.
    mutating func replace(_ role: DocumentRole, with bytes: [UInt8]) {
        let (name, sourceRole): (String, SourceText.Role) =
            switch role {
            case .base: ("base.ini", .base)
            case .profile: ("\(environment).ini", .profile(environment))
            case .dropIn(let file): ("\(environment).d/\(file)", .dropIn(environment))
            }
        if let index = documents.firstIndex(where: { $0.name == name }) {
            documents[index].bytes = bytes
            return
        }
        let text = SourceText(name: name, displayName: name, role: sourceRole, bytes: bytes)
        switch role {
        case .base: documents.insert(text, at: 0)
        case .profile: documents.insert(text, at: documents.firstIndex { $0.role == .dropIn(environment) } ?? documents.endIndex)
        case .dropIn:
            documents.insert(
                text,
                at: documents.firstIndex { $0.role == .dropIn(environment) && name.utf8.lexicographicallyPrecedes($0.name.utf8) }
                    ?? documents.endIndex)
        }
        // The document is there now, so that its absence is no problem any more.
        problems.removeAll { $0.code == "no-documents" }
    }
}
