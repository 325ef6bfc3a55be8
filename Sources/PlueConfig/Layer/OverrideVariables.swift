import OrderedCollections

/// What the name of every overriding variable starts with.
let variablePrefix = "PLUE__"

/// What a variable of the overriding kind says about a setting.
enum VariableOverride: Hashable, Sendable {
    /// `PLUE__SECTION__KEY`: its value.
    case value(SettingKey)
    /// `PLUE__SECTION__KEY_FILE`: the file that holds its value, as Docker's and systemd's secrets come.
    case file(SettingKey)

    private static let fileSuffix = "_FILE"

    /// The variable without the suffix that says that it names a file; `nil` without one.
    static func setting(ofFileVariable name: String) -> String? {
        name.hasSuffix(fileSuffix) && !name.hasSuffix("_" + fileSuffix) ? String(name.dropLast(fileSuffix.count)) : nil
    }
}

extension SectionModel {
    /// What a `PLUE__…` variable overrides. A setting whose own name ends in `_file` goes first.
    func override(byVariable name: String) -> Result<VariableOverride, Diagnostic> {
        let own = key(ofVariable: name)
        if case .success(let key) = own, setting(for: key) != nil || VariableOverride.setting(ofFileVariable: name) == nil {
            return .success(.value(key))
        }
        if let other = VariableOverride.setting(ofFileVariable: name), case .success(let key) = self.key(ofVariable: other) {
            return .success(.file(key))
        }
        return own.map { .value($0) }
    }

    /// The setting that `PLUE__SECTION__KEY` overrides.
    ///
    /// Two underscores divide components. Variables are upper case by custom and cannot hold `-`, so names are compared
    /// without regard to case, `-` and `_` being one.
    func key(ofVariable name: String) -> VariableKey {
        let parts = name.dropFirst(variablePrefix.count).split(separator: "__", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 2, parts.allSatisfy({ !$0.isEmpty }), let last = parts.last else {
            return .failure(
                Diagnostic(
                    "unknown-variable", at: Origin.variable(name).location,
                    "the environment variable \(name) names no setting", expected: "PLUE__SECTION__KEY",
                    hint: "two underscores divide the section from the key"))
        }
        var section = self
        var path: [String] = []
        for part in parts.dropLast() {
            if let known = section.sections.keys.first(where: { fold($0) == fold(part) }), let next = section.sections[known] {
                path.append(known)
                section = next
            } else if let any = section.anySection {
                path.append(part.lowercased())
                section = any.value
            } else if section.isOpen {
                path.append(part.lowercased())
                section = .open
            } else {
                return unknown(name, nearest(part.lowercased(), among: section.sections.keys).map { (path + [$0]) })
            }
        }
        let sectionName = path.joined(separator: ".")
        if let known = section.settings.keys.first(where: { fold($0) == fold(last) }) {
            return .success(SettingKey(section: sectionName, name: known))
        }
        if section.anySetting != nil || section.isOpen {
            return .success(SettingKey(section: sectionName, name: last.lowercased()))
        }
        return unknown(name, nearest(last.lowercased(), among: section.settings.keys).map { path + [$0] })
    }

    /// The variable that overrides a setting: `server.max_connections` is `PLUE__SERVER__MAX_CONNECTIONS`.
    public static func variable(for key: SettingKey) -> String {
        variablePrefix + key.components.map { fold($0) }.joined(separator: "__")
    }

    typealias VariableKey = Result<SettingKey, Diagnostic>

    private func unknown(_ name: String, _ suggestion: [String]?) -> VariableKey {
        let hint = suggestion.map { "did you mean \(variablePrefix)\($0.map(fold).joined(separator: "__"))?" }
        return .failure(
            Diagnostic(
                "unknown-variable", at: Origin.variable(name).location,
                "the environment variable \(name) names no setting", hint: hint ?? "unset it, or correct its name"))
    }
}

private func fold(_ name: String) -> String {
    String(name.uppercased().map { $0 == "-" ? "_" : $0 })
}
