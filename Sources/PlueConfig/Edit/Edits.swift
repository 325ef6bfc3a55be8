import PlueDocuments

/// A change that somebody asks for in terms of settings and documents: one transaction, in the order given.
///
/// A setting's edit goes into the one document that owns it: the highest of the environment's own documents (its drop-ins, then
/// `<environment>.ini`) that sets it, else `<environment>.ini`. Comments, order, line ends and everything else in the document
/// stay as they are. What other environments read (`base.ini`, a profile that is extended) is only ever changed by naming it.
public struct Edits: Sendable {
    /// One step.
    public enum Edit: Sendable {
        /// Sets a setting; the text is as written after `=`, substitution included.
        case set(SettingKey, to: String)
        /// The same in a document that is named, whichever owns the setting.
        case setIn(document: String, SettingKey, to: String)
        /// Puts other encrypted values in the place of some, wherever they stand in a document; those that are gone are passed over.
        case reencrypt(document: String, [String: String])
        /// Deletes a setting's line, so that it returns to the layer below.
        case remove(SettingKey)
        /// Deletes a section from each of the environment's own documents.
        case removeSection(String)
        /// Puts other bytes in a document's place, or adds the document.
        case replace(document: String, with: [UInt8])
        /// Deletes a document.
        case removeDocument(String)
        /// What was asked for and cannot be made; the change is refused with this and everything else that is wrong with it.
        case impossible(Diagnostic)
        /// Makes the documents exactly these: what a rollback does.
        case restore([StoredDocument])
    }

    /// The steps, in the order in which they are made.
    public var steps: [Edit]

    public init(_ steps: [Edit] = []) { self.steps = steps }

    public var isEmpty: Bool { steps.isEmpty }

    /// Sets settings to values as `--set section.key=value` gives them.
    public init(setting overrides: [Override]) {
        self.init(overrides.map { .set($0.key, to: $0.text) })
    }
}

extension Edits.Edit {
    /// Sets a setting to a plain value; text that looks like a substitution stays text.
    public static func set(_ key: SettingKey, to value: PlainValue) -> Self { .set(key, to: value.writtenText) }
}

extension PlainValue {
    /// The value as a document writes it, quoted where it has to be.
    var writtenText: String {
        switch self {
        case .list(let items): ValueText.list(items.map(\.description))
        default: ValueText.quoted(description)
        }
    }
}

/// What a transaction does to one document.
public struct DocumentChange: Hashable, Sendable {
    /// Inside the configuration directory: `production.ini`, `production.d/10-limits.ini`.
    public var name: String
    /// What it holds now; `nil` when it does not exist.
    public var before: [UInt8]?
    /// What it is to hold; `nil` when it is to be deleted.
    public var after: [UInt8]?

    public init(name: String, before: [UInt8]?, after: [UInt8]?) {
        self.name = name
        self.before = before
        self.after = after
    }

    /// The way back.
    public var inverse: DocumentChange { DocumentChange(name: name, before: after, after: before) }
}
