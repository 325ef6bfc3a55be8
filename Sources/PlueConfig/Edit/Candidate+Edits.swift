import OrderedCollections
import PlueDocuments

extension Candidate {
    /// What the documents would hold after the edits. Pure: nothing is read or written.
    /// - Parameter schema: For what messages may show, and for the variables that stand above a setting.
    /// - Returns: The documents that change, by name; those that come out as they were are left out.
    /// - Throws: ``Rejection`` with a diagnostic for every edit that cannot be made; then none is.
    func changes(making edits: Edits, schema: SectionModel) throws(Rejection) -> [DocumentChange] {
        var editing = Editing(self, schema)
        for edit in edits.steps { editing.make(edit) }
        guard editing.problems.isEmpty else { throw Rejection(phase: .edit, diagnostics: editing.problems) }
        return editing.changes
    }
}

/// A candidate's documents while they are edited.
private struct Editing {
    private let candidate: Candidate
    private let schema: SectionModel
    private let before: OrderedDictionary<String, [UInt8]>
    /// `nil` for a document that is to be deleted.
    private var after: OrderedDictionary<String, [UInt8]?>
    private(set) var problems: [Diagnostic] = []

    init(_ candidate: Candidate, _ schema: SectionModel) {
        self.candidate = candidate
        self.schema = schema
        before = OrderedDictionary(candidate.documents.map { ($0.name, $0.bytes) }, uniquingKeysWith: { $1 })
        after = before.mapValues { $0 }
    }

    var changes: [DocumentChange] {
        after.compactMap { name, bytes in
            before[name] == bytes ? nil : DocumentChange(name: name, before: before[name], after: bytes)
        }
    }

    mutating func make(_ edit: Edits.Edit) {
        switch edit {
        case .set(let key, let text): set(key, to: text)
        case .setIn(let name, let key, let text): set(key, to: text, in: name)
        case .reencrypt(let name, let values):
            if isDocument(name) { reencrypt(name, values) }
        case .remove(let key): remove(key)
        case .removeSection(let section): removeSection(section)
        case .replace(let name, let bytes):
            if isDocument(name) { after[name] = .some(bytes) }
        case .removeDocument(let name):
            guard isDocument(name) else { return }
            if after[name].flatMap(\.self) == nil {
                refuse("unknown-document", "there is no document '\(name)' to delete")
            } else {
                after[name] = .some(nil)
            }
        case .impossible(let problem): problems.append(problem)
        case .restore(let documents):
            for name in after.keys where !documents.contains(where: { $0.name == name }) { after[name] = .some(nil) }
            for document in documents where isDocument(document.name, ofHistory: true) { after[document.name] = .some(document.bytes) }
        }
    }

    // MARK: - Settings

    private mutating func set(_ key: SettingKey, to text: String) {
        guard !isOverruled(key) else { return }
        let name = owner(of: key) ?? ownDocument
        edit(name, key) { document throws(EditError) in try document.set(key.name, in: key.section, to: text) }
    }

    private mutating func set(_ key: SettingKey, to text: String, in name: String) {
        guard isDocument(name), !isOverruled(key) else { return }
        edit(name, key) { document throws(EditError) in try document.set(key.name, in: key.section, to: text) }
    }

    private mutating func reencrypt(_ name: String, _ values: [String: String]) {
        guard var document = document(name) else { return }
        do throws(EditError) {
            try document.replaceValues(values)
            after[name] = .some(document.bytes)
        } catch {
            refuse("edit", "\(name) cannot be edited: \(error.description)")
        }
    }

    private mutating func remove(_ key: SettingKey) {
        guard !isOverruled(key) else { return }
        if let name = owner(of: key) {
            edit(name, key) { document throws(EditError) in _ = try document.remove(key.name, in: key.section) }
        } else if let other = after.keys.last(where: { holds(key, $0) }) {
            refuse(
                "not-own", key: key, "\(key) is set in \(other), which other environments read too",
                hint: "edit \(other) itself, or set another value for this environment")
        } else if schema.setting(for: key) == nil {
            let known = schema.section(named: key.section).map { Array($0.settings.keys) } ?? []
            refuse(
                "unknown-key", key: key, "there is no setting \(key) to remove",
                hint: nearest(key.name, among: known).map { "did you mean \(key.section).\($0)?" })
        }
    }

    private mutating func removeSection(_ section: String) {
        let isThere = after.keys.contains { name in document(name)?.sections.contains { $0.name == section } == true }
        guard isThere || schema.section(named: section) != nil else {
            refuse(
                "unknown-section", key: SettingKey(section: section, name: ""),
                "there is no section [\(VisibleText.of(section))] to remove",
                hint: nearest(section, among: schema.sectionNames).map { "did you mean [\($0)]?" })
            return
        }
        for name in ownDocuments where document(name)?.sections.contains(where: { $0.name == section }) == true {
            edit(name, SettingKey(section: section, name: "")) { document throws(EditError) in _ = try document.removeSection(section) }
        }
    }

    private mutating func edit(_ name: String, _ key: SettingKey, _ body: (inout Document) throws(EditError) -> Void) {
        guard var document = document(name) else { return }
        do throws(EditError) {
            try body(&document)
            after[name] = .some(document.bytes)
        } catch {
            refuse("edit", key: key, "\(key) cannot be edited in \(name): \(error.description)")
        }
    }

    /// What stands above all documents makes an edit of them pointless, and whoever asked for it must learn that.
    private mutating func isOverruled(_ key: SettingKey) -> Bool {
        let variable = SectionModel.variable(for: key)
        let overruling =
            candidate.overrides.contains { $0.key == key } ? "--set \(key)" : candidate.variables[variable] == nil ? nil : "$\(variable)"
        guard let overruling else { return false }
        refuse(
            "overruled", key: key, "\(key) is set by \(overruling), which stands above all documents, so an edit would have no effect",
            hint: "start without it")
        return true
    }

    // MARK: - Documents

    private var ownDocument: String { "\(candidate.environment).ini" }

    /// The documents that only this environment reads, lowest first; its own one even when it does not exist yet.
    private var ownDocuments: [String] {
        let prefix = "\(candidate.environment).d/"
        let dropIns = after.filter { $0.key.hasPrefix(prefix) && $0.value != nil }.keys
        return [ownDocument] + dropIns.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private func owner(of key: SettingKey) -> String? { ownDocuments.last { holds(key, $0) } }

    private func holds(_ key: SettingKey, _ name: String) -> Bool {
        guard let bytes = after[name].flatMap(\.self), let document = try? Document(parsing: bytes, name: name) else { return false }
        return document.firstEntry(section: key.section, key: key.name) != nil
    }

    /// A document to edit, empty when it does not exist; `nil` when it does not parse, which is then reported.
    private mutating func document(_ name: String) -> Document? {
        let bytes = after[name].flatMap(\.self) ?? []
        do {
            return try Document(parsing: bytes, name: name)
        } catch {
            let file = candidate.documents.first { $0.name == name }?.displayName ?? name
            let found = error.diagnostics(of: bytes, inFile: file, schema: schema)
            problems += found.filter { !problems.contains($0) }
            return nil
        }
    }

    /// Only what this environment is made of can be checked, so nothing else is written.
    private mutating func isDocument(_ name: String, ofHistory: Bool = false) -> Bool {
        guard let name = DocumentName(name) else {
            refuse(
                "document-name", "'\(VisibleText.of(String(name.prefix(80))))' is not a document's name",
                hint: "name base.ini, \(ownDocument) or \(candidate.environment).d/NAME.ini")
            return false
        }
        var profiles: Set<String> = [candidate.environment.rawValue]
        for document in candidate.documents {
            if case .profile(let profile) = document.role { profiles.insert(profile.rawValue) }
        }
        guard ofHistory || name.profile.map(profiles.contains) ?? true else {
            refuse(
                "document-name", "\(name.text) is no part of \(candidate.environment)",
                hint: "the profiles it is made of are \(profiles.sorted().joined(separator: ", "))")
            return false
        }
        return true
    }

    private mutating func refuse(_ code: DiagnosticCode, key: SettingKey? = nil, _ message: String, hint: String? = nil) {
        problems.append(Diagnostic(code, key: key, message, hint: hint))
    }
}

extension SourceText.Role {
    /// What a document of a configuration directory is, by its name; `nil` for a name that is none.
    package init?(documentName name: String) {
        guard let name = DocumentName(name) else { return nil }
        guard let profile = name.profile else {
            self = .base
            return
        }
        self =
            name.text.contains("/") ? .dropIn(EnvironmentName(stringLiteral: profile)) : .profile(EnvironmentName(stringLiteral: profile))
    }
}

extension Unicode.Scalar {
    /// Whether it leaves a mark of its own: what controls, formats or spaces text could make one name look like another.
    fileprivate var isVisible: Bool {
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .spaceSeparator, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}

/// A document's name inside a configuration directory, of a form that leads nowhere else.
struct DocumentName: Hashable {
    let text: String
    /// The profile it belongs to; `nil` for `base.ini`.
    let profile: String?

    /// `nil` for anything but `base.ini`, `PROFILE.ini` and `PROFILE.d/NAME.ini`.
    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let file = parts.last, parts.count <= 2, file.hasSuffix(".ini"), !file.hasPrefix("."), file.utf8.count <= 128,
            file.unicodeScalars.allSatisfy(\.isVisible)
        else { return nil }
        self.text = text
        if parts.count == 2 {
            guard parts[0].hasSuffix(".d"), EnvironmentName(String(parts[0].dropLast(2))) != nil else { return nil }
            profile = String(parts[0].dropLast(2))
        } else if text == "base.ini" {
            profile = nil
        } else {
            guard EnvironmentName(String(file.dropLast(4))) != nil else { return nil }
            profile = String(file.dropLast(4))
        }
    }
}
