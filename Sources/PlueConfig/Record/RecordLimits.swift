// What keeps a history small whoever writes into it: both recorders apply the same two rules before they store a refusal.

extension Attempt {
    /// At most so many diagnostics of one attempt are kept; a last one then says how many more there were.
    package static let diagnosticsKept = 100
    /// And at most about so many bytes of them.
    package static let bytesKept = 65_536
    /// Each text of a diagnostic is cut after so many characters: a line may be 1 MiB long.
    package static let charactersKept = 1_000

    /// The attempt as it is stored: refused, and of bounded size.
    package func refused(as id: Int) -> Attempt {
        var stored = self
        stored.id = id
        stored.outcome = .rejected
        stored.version = nil
        stored.problem = problem.map(Self.cut)
        stored.diagnostics = []
        var room = Self.bytesKept
        for diagnostic in diagnostics.prefix(Self.diagnosticsKept).map(Self.cut) {
            room -= diagnostic.textBytes
            if room < 0 { break }
            stored.diagnostics.append(diagnostic)
        }
        let more = diagnostics.count - stored.diagnostics.count
        if more > 0 {
            stored.diagnostics.append(
                Diagnostic("more", severity: diagnostics.hasErrors ? .error : .warning, "and \(more) more, not kept in the history")
            )
        }
        return stored
    }

    /// Whether this is the same refusal again, found again in the files: then the one that is kept is counted up instead of
    /// a row being added each time a watcher or a poll meets the same broken file.
    ///
    /// Only for files: whoever asks through the API or the command line gets a row for every answer.
    package func repeats(_ kept: Attempt) -> Bool {
        cause.trigger == .file && kept.cause == cause && kept.outcome == .rejected && digest != nil && kept.digest == digest
            && kept.environment == environment && kept.phase == phase && kept.problem == problem
            && kept.diagnostics == diagnostics
    }

    private static func cut(_ text: String) -> String {
        text.utf8.count <= charactersKept ? text : text.prefix(charactersKept) + "…"
    }

    private static func cut(_ diagnostic: Diagnostic) -> Diagnostic {
        var kept = diagnostic
        kept.message = cut(diagnostic.message)
        kept.label = diagnostic.label.map(cut)
        kept.expected = diagnostic.expected.map(cut)
        kept.found = diagnostic.found.map(cut)
        kept.hint = diagnostic.hint.map(cut)
        kept.location = diagnostic.location.map(cut)
        kept.related = diagnostic.related.prefix(10).map { related in
            Diagnostic.Related(cut(related.message), at: related.location.map(cut))
        }
        return kept
    }

    private static func cut(_ location: Location) -> Location {
        var kept = location
        kept.excerpt = location.excerpt.map(cut)
        return kept
    }
}

extension Diagnostic {
    /// What its texts take up, places' excerpts included.
    fileprivate var textBytes: Int {
        var texts: [String?] = [message, label, expected, found, hint, location?.file, location?.excerpt]
        for place in related { texts += [place.message, place.location?.file, place.location?.excerpt] }
        return texts.reduce(0) { $0 + ($1?.utf8.count ?? 0) }
    }
}
