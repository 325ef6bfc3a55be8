import PlueDocuments

/// The reserved section that describes a profile itself; it holds no settings.
let profileSection = "profile"

/// What a profile's document says of the profile.
struct Profile: Sendable {
    /// The profiles below it, lowest first, each with its place.
    var extends: [(name: EnvironmentName, place: Location?)] = []
    var problems: [Diagnostic] = []

    /// A profile that extends nothing.
    init() {}

    /// Reads `[profile]` of a document; only a profile's own document may have it.
    init(_ document: Document, role: SourceText.Role) {
        for section in document.sections where section.name == profileSection {
            guard case .profile = role else {
                problems.append(
                    Diagnostic(
                        "misplaced-profile", key: SettingKey(section: profileSection, name: ""),
                        at: document.location(of: section.nameRange, excerpt: document.lineText(at: section.nameRange)),
                        "[profile] is only read in a profile's own document",
                        hint: "move it to <environment>.ini, or delete it here"))
                continue
            }
            for entry in document.entries[section.entries] { read(entry, of: document) }
        }
    }

    private mutating func read(_ entry: Document.Entry, of document: Document) {
        let name = document.key(of: entry)
        guard name == "extends" else {
            problems.append(
                Diagnostic(
                    "unknown-key", key: SettingKey(section: profileSection, name: name),
                    at: document.location(of: entry.keyRange, excerpt: document.lineText(at: entry.keyRange)),
                    "unknown key '\(name)' in [profile]",
                    label: nearest(name, among: ["extends"]).map { "did you mean '\($0)'?" } ?? "[profile] has one key: extends"))
            return
        }
        let items = (try? document.items(of: entry)) ?? []
        for item in items {
            let text = item.fragments.map(\.text).joined()
            let place = document.location(of: item.range, excerpt: document.lineText(at: item.range))
            if let name = EnvironmentName(text) {
                extends.append((name, place))
            } else {
                problems.append(
                    Diagnostic(
                        "invalid-name", key: SettingKey(section: profileSection, name: "extends"), at: place,
                        "profile.extends names '\(text)', which is not a profile's name",
                        label: "expected a name such as staging", expected: "[a-z][a-z0-9-]*", found: text))
            }
        }
    }
}

/// The order of the profiles that an environment is made of.
struct ProfileChain: Sendable {
    /// Lowest first; the environment's own profile is last.
    private(set) var names: [EnvironmentName] = []
    private(set) var problems: [Diagnostic] = []

    /// Walks `extends` depth first, left to right, so that later names win; a profile reached twice counts where it is first.
    /// - Parameter profile: What a profile's document says; `nil` when the directory has none of that name.
    init(_ environment: EnvironmentName, profile: (EnvironmentName) -> Profile?) {
        var open: [EnvironmentName] = []
        visit(environment, from: nil, open: &open, profile: profile)
    }

    private mutating func visit(
        _ name: EnvironmentName, from place: Location?, open: inout [EnvironmentName], profile: (EnvironmentName) -> Profile?
    ) {
        if let start = open.firstIndex(of: name) {
            let chain = (open[start...] + [name]).map(\.rawValue).joined(separator: " → ")
            problems.append(
                Diagnostic(
                    "profile-cycle", key: SettingKey(section: profileSection, name: "extends"), at: place,
                    "the profiles extend each other in a circle: \(chain)", label: "closes the circle",
                    hint: "take one of these 'extends' away"))
            return
        }
        guard !names.contains(name) else { return }
        guard let described = profile(name) else {
            guard let place else {
                // The environment itself may live on base.ini and drop-ins alone.
                names.append(name)
                return
            }
            problems.append(
                Diagnostic(
                    "unknown-profile", key: SettingKey(section: profileSection, name: "extends"), at: place,
                    "the profile '\(name)' does not exist", label: "no \(name).ini in the directory"))
            return
        }
        open.append(name)
        for parent in described.extends { visit(parent.name, from: parent.place, open: &open, profile: profile) }
        open.removeLast()
        names.append(name)
    }
}

extension Document {
    /// The line that a range starts on.
    func lineText(at range: SourceRange) -> String { line(place(of: Int(range.start)).line) }
}
