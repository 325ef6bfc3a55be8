import HTTPTypes
import OrderedCollections
public import PlueConfig

/// The part of the settings that somebody may see and change: everything, or some sections with all that is in them.
public struct SectionScope: Hashable, Sendable, CustomStringConvertible {
    /// By their names, sorted; `nil` for everything.
    public let sections: [String]?

    public static let everything = SectionScope(nil)

    /// - Parameter sections: `server`, `daemon.proxy`; a section includes its subsections. An empty list is nothing at all.
    public init(_ sections: [String]?) { self.sections = sections.map { Set($0).sorted() } }

    public var isEverything: Bool { sections == nil }

    /// Whether a section, and so each setting in it, is within.
    public func covers(section: String) -> Bool {
        guard let sections else { return true }
        return sections.contains { section == $0 || section.hasPrefix($0 + ".") }
    }

    public func covers(_ key: SettingKey) -> Bool { covers(section: key.section) }

    /// `[server], [daemon.proxy]`
    public var description: String { sections.map { $0.map { "[\($0)]" }.joined(separator: ", ") } ?? "everything" }
}

extension SectionScope {
    /// Refuses edits of what is outside, and values that would bring in what is outside.
    ///
    /// What else changes by such an edit, because it refers to what is edited, shows only in the plan: there is a look at that too.
    func admit(_ edits: Edits, for requester: Requester) throws(Problem) {
        guard !isEverything else { return }
        for edit in edits.steps {
            switch edit {
            case .set(let key, let text):
                guard covers(key) else { throw outside("\(key)", requester) }
                // Another setting, a variable or a file: whoever reads the setting afterwards reads that.
                guard !text.replacing("$${", with: "").contains("${") else {
                    throw Problem(.forbidden, "\(requester.actor) has \(self) only, so its values hold no ${…}, which could be anything's")
                }
            case .remove(let key): guard covers(key) else { throw outside("\(key)", requester) }
            case .removeSection(let section): guard covers(section: section) else { throw outside("[\(section)]", requester) }
            case .impossible: continue
            case .setIn, .reencrypt, .replace, .removeDocument, .restore:
                throw Problem(.forbidden, "a document is about more than \(self), and \(requester.actor) has nothing else")
            }
        }
    }

    /// Refuses a patch that so much as names what is outside: whether it would change something tells what is there.
    func admit(_ patch: JSONValue, for requester: Requester) throws(Problem) {
        guard !isEverything else { return }
        try admit(patch, at: [], for: requester)
    }

    private func admit(_ patch: JSONValue, at path: [String], for requester: Requester) throws(Problem) {
        guard !path.isEmpty, covers(section: path.joined(separator: ".")) else {
            // A section around one that is within may be named, and nothing else of it.
            guard case .object(let members) = patch, !members.isEmpty else {
                if path.isEmpty { return }
                throw outside(path.joined(separator: "."), requester)
            }
            for (name, value) in members { try admit(value, at: path + [name], for: requester) }
            return
        }
    }

    /// Refuses a change that comes to more than what is within.
    func admit(_ change: ProposedChange, for requester: Requester) throws(ChangeRefusal) {
        guard let key = change.plan.changes.first(where: { !covers($0.key) })?.key else { return }
        throw .notPermitted("this would change [\(key.section)] as well, and \(requester.actor) has \(self) only")
    }

    func outside(_ what: String, _ requester: Requester) -> Problem {
        Problem(.forbidden, "\(VisibleText.of(what)) is outside of \(self), and \(requester.actor) has nothing else")
    }
}
