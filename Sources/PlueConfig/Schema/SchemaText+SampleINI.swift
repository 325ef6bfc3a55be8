import OrderedCollections
import PlueDocuments

extension SectionModel {
    /// A file with every setting: its description and rules as comments, its default as a line to uncomment.
    ///
    /// A setting that must be set stands uncommented with a placeholder that is an error by itself, so that a check of the file
    /// names exactly what is left to fill in and no placeholder ever runs. Everything else in the file is valid as it stands.
    public func sampleINI() -> String {
        var sample = SampleFile()
        sample.add(self, path: [], isActive: true)
        return sample.text
    }
}

/// A sample file while sections are added to it.
private struct SampleFile {
    private(set) var text = ""

    /// - Parameter isActive: Whether the section counts as it stands; what is optional or has a name to choose is commented out.
    mutating func add(_ section: SectionModel, path: SettingPath, isActive: Bool) {
        if !path.isEmpty, !section.settings.isEmpty || !section.patterns.isEmpty || section.anySetting != nil || section.isOpen {
            if !text.isEmpty { text += "\n" }
            comment(section.summary)
            line("[\(path.joined(separator: "."))]", isActive: isActive)
            for setting in section.settings.values where setting.replacement == nil {
                add(setting, named: setting.name, at: path, isActive: isActive)
            }
            for pattern in section.patterns {
                guard let setting = pattern.setting else { continue }
                comment("Any name that matches \(pattern.pattern.source):")
                add(setting, named: "NAME", at: path, isActive: false)
            }
            if let any = section.anySetting {
                comment("Any name:")
                add(any, named: "NAME", at: path, isActive: false)
            }
        }
        for (name, child) in section.sections { add(child, path: path + [name], isActive: isActive && !child.isOptional) }
        if let any = section.anySection { add(any.value, path: path + ["NAME"], isActive: false) }
        for pattern in section.patterns {
            guard let child = pattern.section else { continue }
            comment("Any name that matches \(pattern.pattern.source):")
            add(child.value, path: path + ["NAME"], isActive: false)
        }
    }

    private mutating func add(_ setting: SettingModel, named name: String, at path: SettingPath, isActive: Bool) {
        comment(setting.summary)
        var facts = [setting.kind.summary] + setting.constraints.filter { $0.severity == .error }.map(\.requirement)
        if setting.isSecret { facts.append("secret") }
        if setting.effect == .restart { facts.append("takes effect after a restart") }
        comment((setting.isRequired ? "Required: " : "") + facts.joined(separator: "; "))
        if setting.isRequired {
            line("\(name) = ${CHANGE_ME:?set \((path + [name]).joined(separator: "."))}", isActive: isActive)
        } else {
            line("\(name) =" + (setting.isSecret ? "" : setting.defaultText.map { $0.isEmpty ? "" : " \($0)" } ?? ""), isActive: false)
        }
    }

    private mutating func comment(_ sentence: String) {
        // A line break or a control character would end the comment.
        let sentence = VisibleText.of(sentence)
        if !sentence.isEmpty { text += "# \(sentence)\n" }
    }

    private mutating func line(_ content: String, isActive: Bool) { text += isActive ? "\(content)\n" : ";\(content)\n" }
}

extension SettingModel {
    /// The default as a document writes it.
    fileprivate var defaultText: String? {
        switch defaultValue {
        case .list(let items)?: ValueText.list(items.map(\.description))
        case let value?: ValueText.quoted(value.description)
        case nil: nil
        }
    }
}
