import HTTPTypes
import PlueConfig
import PlueDocuments

/// What a body asks for, as edits of the documents.
extension API {
    /// What a body asks for, as edits; a patch is worked out beside the version that runs.
    /// - Parameter requester: Whoever may see and change a part only: a patch is worked out in that part.
    func edits(of body: ChangeBody, for requester: Requester? = nil) async throws -> (edits: Edits, version: Int?) {
        switch body {
        case .none: return (Edits(), nil)
        case .edits(let edits): return (edits, nil)
        case .merge(let patch):
            if let requester { try requester.scope.admit(patch, for: requester) }
            return try await patched { (settings, _) throws(SettingsPatch.Outdated) in try settings.merge(patch) }
        case .patch(let patch):
            return try await patched(within: requester?.scope ?? .everything) { settings, values in
                let after: JSONValue
                do throws(JSONPatch.Misfit) { after = try patch.applied(to: values) } catch {
                    throw Problem(.conflict, error.description)
                }
                guard case .object = after else { throw Problem(.badRequest, "the configuration is an object, whatever is done to it") }
                if let requester { try requester.scope.admit(after, for: requester) }
                try settings.follow(from: values, to: after)
            }
        }
    }

    private func patched(
        within scope: SectionScope = .everything, _ patch: (inout SettingsPatch, _ values: JSONValue) throws -> Void
    ) async throws -> (edits: Edits, version: Int?) {
        let documents = await manager.readCandidate().documents
        let snapshot = manager.snapshot
        let values =
            ConfigurationJSON.values(snapshot.settings.filter { scope.covers($0.key) }, version: snapshot.version, fingerprints)["values"]
            ?? [:]
        var settings = SettingsPatch(of: snapshot.settings, schema: manager.schema, fingerprints) {
            (secret, key) throws(SettingsPatch.SealingFailure) in try deployment.sealed(secret, for: key, in: documents)
        }
        do {
            try patch(&settings, values)
        } catch let outdated as SettingsPatch.Outdated {
            throw Problem(.conflict, "\(outdated.key) is another secret by now than the one that was sent back")
        }
        return (settings.edits, snapshot.version)
    }
}

extension Deployment {
    /// Encrypts a secret for the document of this environment that holds the setting, or will.
    fileprivate func sealed(
        _ secret: Secret<String>, for key: SettingKey, in documents: [SourceText]
    ) throws(SettingsPatch.SealingFailure) -> String {
        let own = documents.filter { $0.role == .profile(environment) || $0.role == .dropIn(environment) }
        let owner = own.last { $0.holds(key) } ?? own.first { $0.role == .profile(environment) }
        let name = "\(environment).ini"
        do {
            return try encrypted(
                secret, for: key, in: owner ?? SourceText(name: name, displayName: name, role: .profile(environment), bytes: []))
        } catch {
            throw SettingsPatch.SealingFailure(problem: "\(error)")
        }
    }
}
