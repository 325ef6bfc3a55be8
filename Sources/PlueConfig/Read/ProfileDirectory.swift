import PlueDocuments

/// Which documents of a directory count for an environment, and in which order.
struct ProfileDirectory: Sendable {
    /// The names in it, `base.ini`, `production.d/10-x.ini`, in any order.
    let names: Set<String>

    init(names: some Sequence<String>) { self.names = Set(names) }

    /// The documents of an environment, lowest layer first, with what is wrong with the selection itself.
    struct Selection: Sendable {
        var documents: [SourceText] = []
        var chain: ProfileChain
    }

    /// Follows `extends` from document to document.
    /// - Parameters:
    ///   - read: A document's bytes; `nil` when it cannot be read, which the caller then reports.
    ///   - display: How messages call a document.
    func select<Failure: Error>(
        _ environment: EnvironmentName, read: (String) throws(Failure) -> [UInt8]?, display: (String) -> String
    ) throws(Failure) -> Selection {
        var texts: [EnvironmentName: SourceText] = [:]
        // Reading has to come first: what a profile extends is written in it.
        var wanted: [EnvironmentName] = [environment]
        var profiles: [EnvironmentName: Profile] = [:]
        while let name = wanted.popLast() {
            guard profiles[name] == nil, names.contains("\(name).ini"), let bytes = try read("\(name).ini") else { continue }
            let text = SourceText(name: "\(name).ini", displayName: display("\(name).ini"), role: .profile(name), bytes: bytes)
            texts[name] = text
            // A document that does not parse extends nothing; the pipeline reports what is wrong with it.
            let document = try? Document(parsing: bytes, name: text.displayName)
            let profile = document.map { Profile($0, role: text.role) } ?? Profile()
            profiles[name] = profile
            wanted += profile.extends.map(\.name)
        }
        var selection = Selection(chain: ProfileChain(environment) { profiles[$0] })
        if names.contains("base.ini"), let bytes = try read("base.ini") {
            selection.documents.append(SourceText(name: "base.ini", displayName: display("base.ini"), role: .base, bytes: bytes))
        }
        for name in selection.chain.names {
            if let text = texts[name] { selection.documents.append(text) }
            for dropIn in dropIns(of: name) {
                guard let bytes = try read(dropIn) else { continue }
                selection.documents.append(SourceText(name: dropIn, displayName: display(dropIn), role: .dropIn(name), bytes: bytes))
            }
        }
        return selection
    }

    /// A profile's drop-ins in bytewise order of their names; hidden files and other endings are no drop-ins.
    func dropIns(of profile: EnvironmentName) -> [String] {
        let prefix = "\(profile).d/"
        return names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".ini") && !$0.dropFirst(prefix.count).hasPrefix(".") }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The profiles that have a document.
    var profiles: [String] {
        names.filter { !$0.contains("/") && $0.hasSuffix(".ini") && $0 != "base.ini" }
            .map { String($0.dropLast(4)) }.filter { EnvironmentName($0) != nil }.sorted()
    }
}

extension ProfileDirectory.Selection {
    /// What is wrong: a broken chain, nothing there at all, or nothing of this environment where others have something.
    func problems(for environment: EnvironmentName, in directory: String, existing: [String] = []) -> [Diagnostic] {
        let hasOwn = documents.contains { $0.role == .base || $0.role == .profile(environment) }
        guard !hasOwn else { return chain.problems + (unknown(environment, in: directory, existing).map { [$0] } ?? []) }
        let known = existing.isEmpty ? "there are no profiles" : "the profiles there are: \(existing.joined(separator: ", "))"
        let path = directory.isEmpty ? "" : directory + "/"
        return chain.problems + [
            Diagnostic(
                "no-documents", "neither \(path)base.ini nor \(path)\(environment).ini exists",
                found: environment.rawValue, hint: "\(known); choose one with --environment, or write one with 'plue init'")
        ]
    }

    /// An environment that is misspelt runs on what all have in common, without a word of its own.
    private func unknown(_ environment: EnvironmentName, in directory: String, _ existing: [String]) -> Diagnostic? {
        let isKnown = documents.contains { $0.role == .profile(environment) || $0.role == .dropIn(environment) }
        guard !isKnown, !existing.isEmpty else { return nil }
        let path = directory.isEmpty ? "" : directory + "/"
        return Diagnostic(
            "no-profile", severity: .warning, "\(path)\(environment).ini does not exist: only base.ini counts",
            found: environment.rawValue,
            hint: nearest(environment.rawValue, among: existing).map { "did you mean '\($0)'?" }
                ?? "the profiles there are: \(existing.joined(separator: ", "))")
    }
}
